"""Reading a large JSON body value by value, so that memory holds one small value at a time and never the whole.

The standard library's scanner does the reading; this walks the frame around it. A value is decoded from a window of
bytes that doubles until the value fits. Strict as `strict.parse_json`: NaN and infinities are refused, and a body that
breaks off or goes wrong anywhere raises BadAnswer, however much of it was read before.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NoReturn

from apps.sources.errors import BadAnswer
from apps.sources.strict import decoder, excerpt_of

WINDOW_BYTES = 64 * 1024
VALUE_BYTES_MAX = 8 * 1024 * 1024  # no honest value is as large; one that is would be held whole after all
SPACE = re.compile(rb"[ \t\r\n]*")
START = 0xEF, 0xBB, 0xBF  # the byte order mark of UTF-8, which JSON must not have and some vendors send


class Puller:
    """A place in a body. The caller says what it expects next and gets it, or BadAnswer."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = len(START) if body.startswith(bytes(START)) else 0
        self._decoder = decoder()

    def members(self) -> Iterator[str]:
        """Walk an object: yield each name; the caller takes the value before it asks for the next."""
        self._expect(b"{")
        if self._take(b"}"):
            return
        while True:
            name = self.value()
            if not isinstance(name, str):
                self._fail("a name is not a text")
            self._expect(b":")
            yield name
            if self._take(b"}"):
                return
            self._expect(b",")

    def items(self) -> Iterator[None]:
        """Walk a list: the caller takes the item before it asks for the next.

        Lists made from XML come in two more spellings: one object alone is a list of one, null an empty one.
        """
        if self.next_is(b"n") and self.value() is None:
            return
        if self.next_is(b"{"):
            yield
            return
        self._expect(b"[")
        if self._take(b"]"):
            return
        while True:
            yield
            if self._take(b"]"):
                return
            self._expect(b",")

    def value(self) -> object:
        """Take the next value whole."""
        self._skip()
        size = WINDOW_BYTES
        while True:
            window = self._body[self._at : self._at + size]
            is_last = self._at + size >= len(self._body)
            text = self._text(window, is_last=is_last)
            try:
                value, end = self._decoder.raw_decode(text)
            except (ValueError, RecursionError) as error:
                if is_last or isinstance(error, RecursionError):
                    self._fail(type(error).__name__)
                if size >= VALUE_BYTES_MAX:
                    self._fail(f"a value that does not end within {VALUE_BYTES_MAX} bytes")
            else:
                # A number at the very end of a window may go on in the next one.
                if is_last or end < len(text):
                    self._at += len(text[:end].encode())
                    return value
            size *= 2

    def finish(self) -> None:
        """Make sure that nothing follows."""
        self._skip()
        if self._at != len(self._body):
            self._fail("something follows the end")

    def next_is(self, sign: bytes) -> bool:
        """Tell whether the next sign is this one, without taking it."""
        self._skip()
        return self._body[self._at : self._at + 1] == sign

    def _take(self, sign: bytes) -> bool:
        found = self.next_is(sign)
        self._at += found
        return found

    def _expect(self, sign: bytes) -> None:
        if not self._take(sign):
            self._fail(f"no {sign.decode()} where one belongs")

    def _skip(self) -> None:
        found = SPACE.match(self._body, self._at)
        self._at = found.end() if found else self._at

    def _text(self, window: bytes, *, is_last: bool) -> str:
        try:
            return codecs.getincrementaldecoder("utf-8")().decode(window, final=is_last)
        except UnicodeDecodeError:
            self._fail("not UTF-8")

    def _fail(self, why: str) -> NoReturn:
        kind = "HTML" if self._body[:200].lstrip()[:1] == b"<" else "not JSON"
        reason = f"the body is {kind}" if self._body.strip() else "the body is empty"
        raise BadAnswer(f"{reason} ({why})", excerpt=excerpt_of(self._body[: 4 * WINDOW_BYTES])) from None
