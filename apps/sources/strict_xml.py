"""Reading XML that others wrote: no document type, no entities of their own, no depth and size beyond reason.

Entities are how a small document becomes a large one, or names a file of ours; both need a document type declaration,
so that alone is refused, whatever the encoding.
"""

from __future__ import annotations

from typing import Any, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from apps.sources.errors import BadAnswer
from apps.sources.strict import excerpt_of

DEPTH_MAX = 40
ELEMENTS_MAX = 200_000


class _Fenced(Exception):
    """The document does what it must not."""


class _Reader:
    """Builds the tree of elements while counting them."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._depth = self._elements = 0

    def read(self, body: bytes) -> Element:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._builder.data
        parser.Parse(body, True)  # noqa: FBT003 - isfinal takes no keyword
        return self._builder.close()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEPTH_MAX or self._elements > ELEMENTS_MAX:
            raise _Fenced("it is nested too deeply or has too many elements")
        self._builder.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(tag)

    def _refuse(self, *_: Any) -> NoReturn:
        raise _Fenced("it declares a document type")


def parse_xml(body: bytes) -> Element:
    """Return the root of a whole document. Raises BadAnswer for anything but XML within the fences."""
    try:
        return _Reader().read(body)
    except _Fenced as error:
        raise BadAnswer(f"the body is XML that is not believed: {error}", excerpt=excerpt_of(body), body=body) from None
    except (expat.ExpatError, ValueError, LookupError) as error:
        kind = "not XML" if body.strip() else "empty"
        raise BadAnswer(f"the body is {kind} ({type(error).__name__})", excerpt=excerpt_of(body), body=body) from None
