"""What Gamma's lists understand: filters, order, offset paging and keyset paging. Pure.

As the vendor does: `limit` is capped in silence, `/markets` and `/markets/keyset` hide closed markets unless `closed` is
given (also when asked by id), `/events` does not, unknown parameters are ignored, and keyset lists refuse `offset`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from multidict import MultiMapping

from apps.sources.world.answers import Refusal, as_whole

Row = dict[str, Any]
Key = list[list[Any]]

DEFAULT_LIMIT = 20
IDS_MAX = 100
NOT_SORTABLE = (type(None), dict, list)
NUMBERS_IN_STRINGS = ("id", "volume", "liquidity")


def invalid(message: str) -> Refusal:
    """Return Gamma's 422."""
    return Refusal(422, {"type": "validation error", "error": message})


@dataclass(frozen=True, slots=True)
class Listing:
    """One request for a list, read and checked."""

    flags: dict[str, bool]
    wanted: dict[str, frozenset[str]]
    order: tuple[str, ...]
    is_ascending: bool
    limit: int
    offset: int
    after: Key | None

    def fits(self, flags: dict[str, bool], names: dict[str, frozenset[str]]) -> bool:
        """Tell whether a row with these flags and names is asked for."""
        if any(flags[name] != value for name, value in self.flags.items()):
            return False
        return all(values & names[name] for name, values in self.wanted.items())

    def page(self, rows: list[Row]) -> list[Row]:
        """Return the asked page of rows by offset."""
        return self._ordered(rows)[self.offset : self.offset + self.limit]

    def keyset_page(self, rows: list[Row]) -> tuple[list[Row], str | None]:
        """Return the page after the cursor and the next cursor, None on the last page."""
        ordered = self._ordered(rows)
        if self.after is not None:
            ordered = self._after(self.after, ordered)
        page = ordered[: self.limit]
        is_last = len(ordered) <= self.limit
        return page, None if is_last else _cursor(self._key(page[-1]))

    def _after(self, cursor: Key, ordered: list[Row]) -> list[Row]:
        try:
            return [row for row in ordered if self._is_after(self._key(row), cursor)]
        except TypeError:  # the cursor belongs to another order
            raise invalid("after_cursor is invalid") from None

    def _is_after(self, key: Key, cursor: Key) -> bool:
        return key > cursor if self.is_ascending else key < cursor

    def _ordered(self, rows: list[Row]) -> list[Row]:
        if any(isinstance(row.get(name), NOT_SORTABLE) for row in rows[:1] for name in self.order):
            raise invalid("order fields are not valid")
        return sorted(rows, key=self._key, reverse=not self.is_ascending)

    def _key(self, row: Row) -> Key:
        return [_sortable(row, name) for name in (*self.order, "id")]


@dataclass(frozen=True, slots=True)
class ListKind:
    """What one list allows: its filters, its largest page, and whether closed rows are hidden by default."""

    flags: tuple[str, ...]
    names: tuple[str, ...]
    limit_max: int
    hides_closed: bool
    is_keyset: bool

    def read(self, query: MultiMapping[str]) -> Listing:
        """Read a query string. Raises Refusal with Gamma's 422 body."""
        if self.is_keyset and "offset" in query:
            raise invalid("offset is not allowed on keyset endpoints")
        flags = {name: _flag(name, query[name]) for name in self.flags if name in query}
        if self.hides_closed:
            flags.setdefault("closed", False)
        limit = _count("limit", query.get("limit", str(DEFAULT_LIMIT)))
        return Listing(
            flags=flags,
            wanted={name: _wanted(name, query.getall(name)) for name in self.names if name in query},
            order=tuple(name for name in query.get("order", "").split(",") if name),
            is_ascending=_flag("ascending", query.get("ascending", "true")),
            limit=min(limit, self.limit_max),
            offset=_count("offset", query.get("offset", "0")),
            after=_read_cursor(query["after_cursor"]) if query.get("after_cursor") else None,
        )


def _flag(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise invalid(f'query argument "{name}": invalid boolean')
    return text == "true"


def _count(name: str, text: str) -> int:
    refusal = invalid(f'query argument "{name}": invalid number')
    count = as_whole(text, refusal)
    if count < 0:
        raise refusal
    return count


def _wanted(name: str, values: Sequence[str]) -> frozenset[str]:
    if len(values) > IDS_MAX:
        raise invalid(f'query argument "{name}": more than {IDS_MAX} values')
    if name == "id" and not all(value.isdecimal() for value in values):
        raise invalid("id is invalid")
    return frozenset(values)


def _sortable(row: Row, name: str) -> list[Any]:
    value = row.get(name)
    if name in NUMBERS_IN_STRINGS:
        return [True, float(row[name])]
    return [value is not None, value if value is not None else 0]


def _cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _read_cursor(text: str) -> Key:
    refusal = invalid("after_cursor is invalid")
    try:
        key = json.loads(base64.urlsafe_b64decode(text))
    except (binascii.Error, ValueError, RecursionError):
        raise refusal from None
    if not isinstance(key, list) or not all(isinstance(part, list) and len(part) == 2 for part in key):
        raise refusal
    return key
