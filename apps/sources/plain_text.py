"""Text that others wrote, made plain: no markup, no control characters, no tricks with the reading direction."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

MARKUP_LENGTH_MAX = 50_000  # beyond it nothing is read: nobody shows so much, and hostile markup costs time
BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, halves of letters, ends of lines and paragraphs
SILENT_TAGS = frozenset({"script", "style", "template", "noscript", "iframe"})
# They show nothing or turn the order of the letters round; the joiners that scripts and emoji need are not among them.
INVISIBLE = frozenset("\u00ad\u200b\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str, length_max: int) -> str:
    """Return the text without markup and control characters, in one line, cut between words to `length_max` characters."""
    return cut(" ".join(_shown(_without_markup(_bounded(text))).split()), length_max)


def cut(text: str, length_max: int) -> str:
    """Return the text, or its beginning up to a space with an ellipsis when it is longer than `length_max`."""
    if len(text) <= length_max:
        return text
    head = text[: length_max - 1]
    words = head.rpartition(" ")[0] if text[length_max - 1] != " " else head
    return (words or head).rstrip() + "…"


def _bounded(text: str) -> str:
    """Return at most MARKUP_LENGTH_MAX characters, without a tag that the cut left unfinished."""
    head = text[:MARKUP_LENGTH_MAX]
    is_torn = len(text) > len(head) and head.rfind("<") > head.rfind(">")
    return head[: head.rfind("<")] if is_torn else head


def _without_markup(text: str) -> str:
    if "<" not in text and "&" not in text:
        return text
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return "".join(reader.pieces)


def _shown(text: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(letter) in BREAKING else letter for letter in normal if letter not in INVISIBLE)


class _Reader(HTMLParser):
    """Keeps what a page would show; every tag parts words, as most of them do on a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in SILENT_TAGS
        self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in SILENT_TAGS))
        self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(data)
