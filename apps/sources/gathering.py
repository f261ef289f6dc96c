"""Turning raw rows into records one by one, keeping the good and naming the bad."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.ports import Gathered
from apps.sources.strict import excerpt_of
from apps.sources.types import Rejected

T = TypeVar("T")
KEY_LENGTH = 200


def gather(rows: Iterable[object], read: Callable[[object], T], *, key: str) -> Gathered[T]:
    """Read every row; a BadRow becomes a `Rejected` that carries the vendor's own `key` of the row when it has one."""
    records: list[T] = []
    rejected: list[Rejected] = []
    for row in rows:
        try:
            records.append(read(row))
        except BadRow as error:
            rejected.append(Rejected(reason=error.reason, excerpt=excerpt_of(row), key=key_of(row, key)))
    return Gathered(records=tuple(records), rejected=tuple(rejected))


def key_of(row: object, name: str) -> str:
    """Return the vendor's own key of a row as plain text, or nothing when it has none."""
    value = row.get(name) if isinstance(row, dict) else None
    return excerpt_of(str(value).encode("utf-8", "replace"))[:KEY_LENGTH] if isinstance(value, str | int) else ""


def lost(error: BadAnswer) -> Gathered[T]:
    """Return what is left of a body that could not be believed: one rejected whole, marked incomplete."""
    return Gathered(rejected=(Rejected(reason=error.reason, excerpt=error.excerpt, digest=error.digest),), complete=False)
