"""Goalserve's odds as they are on the wire (JSON made from XML), walked without holding them whole.

Its habits: every value is a text; lists of one may come as an object; attributes may carry an "@"; soccer says
`categories` and plural lists, cricket `category` with `match`, `type` and `bookmaker` inside. `stop` may stand on a
market, a bookmaker and a line; `ts` are whole seconds as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import cast

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.pulling import Puller
from apps.sources.strict import excerpt_of, moment_of_milliseconds

TEXT_LENGTH = 200
MATCHES_MAX = 50_000


@dataclass(slots=True)
class Frame:
    """What stands around the matches: the sport, when the answer was made, and the present category."""

    sport: str = ""
    made_at: datetime | None = None
    category: dict[str, str] = field(default_factory=dict)


class Node:
    """One object of the answer; names are looked up with and without "@"."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise BadRow("the row is not an object")
        self._fields = cast("Mapping[str, object]", value)

    def text(self, name: str) -> str:
        """Return a text, "" when it is missing; it is cut where no honest text goes on."""
        value = self._found(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise BadRow(f"{name} is not a text")
        return value[:TEXT_LENGTH].encode("utf-8", "replace").decode().replace("\x00", "\ufffd")

    def has_stopped(self) -> bool:
        """Tell whether `stop` says so."""
        return self.text("stop").lower() == "true"

    def child(self, name: str) -> Node:
        """Return an object inside this one."""
        return Node(self._found(name))

    def children(self, *names: str) -> Sequence[Node]:
        """Return the objects of the first of these lists that is there; one object alone is a list of one."""
        value = next((found for found in map(self._found, names) if found not in (None, "")), [])
        return [Node(item) for item in (value if isinstance(value, list) else [value])]

    def _found(self, name: str) -> object:
        value = self._fields.get(name)
        return self._fields.get("@" + name) if value is None else value


def walk(body: bytes) -> Iterator[tuple[Frame, object]]:
    """Yield each raw match with what stands around it. Raises BadAnswer, at the latest at the end of the body."""
    puller = Puller(body)
    frame, has_scores = Frame(), False
    for name in puller.members():
        if name == "scores":
            has_scores = True
            for count, found in enumerate(_scores(puller, frame)):
                if count == MATCHES_MAX:
                    raise BadAnswer(f"the answer holds more than {MATCHES_MAX} matches", excerpt=excerpt_of(body))
                yield found
        else:
            puller.value()
    puller.finish()
    if not has_scores:
        raise BadAnswer("the answer holds no scores", excerpt=excerpt_of(body))


def _scores(puller: Puller, frame: Frame) -> Iterator[tuple[Frame, object]]:
    for name in puller.members():
        if name in ("categories", "category"):
            for _ in puller.items():
                yield from _category(puller, frame)
            continue
        value = puller.value()
        if name.lstrip("@") == "sport":
            frame.sport = str(value)[:40].lower()
        elif name.lstrip("@") == "ts":
            frame.made_at = moment_or_none(value)


def _category(puller: Puller, frame: Frame) -> Iterator[tuple[Frame, object]]:
    frame.category = {}
    for name in puller.members():
        if name in ("matches", "match"):
            for _ in puller.items():
                yield from _matches(puller, frame)
            continue
        value = puller.value()
        if isinstance(value, str):
            frame.category[name.lstrip("@")] = value[:TEXT_LENGTH]


def _matches(puller: Puller, frame: Frame) -> Iterator[tuple[Frame, object]]:
    """Take one match, or an object that holds a list of them under `match`."""
    if not puller.next_is(b"{"):
        yield frame, puller.value()
        return
    row: dict[str, object] = {}
    for name in puller.members():
        if name == "match":
            for _ in puller.items():
                yield frame, puller.value()
        else:
            row[name] = puller.value()
    if "id" in row or "@id" in row or "localteam" in row:
        yield frame, row


@lru_cache(maxsize=5_000)
def _moment(text: str) -> datetime | None:
    try:
        return moment_of_milliseconds(text + "000", "ts") if text else None
    except BadRow:
        return None


def moment_or_none(value: object) -> datetime | None:
    """Return the moment of whole seconds as text, or None for anything else: then it is not known when odds were said."""
    return _moment(value) if isinstance(value, str) else None
