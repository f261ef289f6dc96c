"""Reading what others wrote: JSON whose every field must have its true type, or the row is not believed.

Everything here is pure and raises only `BadAnswer` (the body) or `BadRow` (one field of one row). Numbers become
`Decimal` straight from their text, so no digit is lost on the way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NoReturn, cast

from apps.sources.errors import EXCERPT_LENGTH, BadAnswer, BadRow
from apps.sources.nesting import is_deeper_than

TEXT_LENGTH_MAX = 2_000
NUMBER_MAX = Decimal(10) ** 15
DECIMALS_MAX = 30
INTEGER_DIGITS_MAX = 30
DEPTH_MAX = 64  # real answers have under ten levels
BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class _Refusal(ValueError):
    """Why JSON that Python would read is not read here; the message stands after "the body"."""


def parse_json(body: bytes) -> object:
    """Parse a whole body. Raises BadAnswer for anything but plain JSON.

    Refused as well: NaN and infinities, a key that stands twice in one object (readers disagree on which counts), any
    encoding but UTF-8, a byte order mark, and nesting beyond `DEPTH_MAX`.
    """
    try:
        _check_shape(body)
        return json.loads(
            body.decode(),
            parse_float=_as_decimal,
            parse_int=_as_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_as_object,
        )
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"the body {_fault_of(body, error)}", excerpt=excerpt_of(body), body=body) from None


def _check_shape(body: bytes) -> None:
    """Refuse what Python would read by guessing. Raises _Refusal."""
    if body.startswith(BYTE_ORDER_MARKS):
        raise _Refusal("begins with a byte order mark")
    if b"\x00" in body[:4]:
        raise _Refusal("is not UTF-8")
    if is_deeper_than(body, DEPTH_MAX):
        raise _Refusal(f"is nested more than {DEPTH_MAX} levels deep")


def _fault_of(body: bytes, error: Exception) -> str:
    """Say in words what is wrong with a body."""
    if isinstance(error, _Refusal):
        return str(error)
    if not body.strip():
        return "is empty"
    if body[:200].lstrip()[:1] == b"<":
        return f"is HTML ({type(error).__name__})"
    return "is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"is not JSON ({type(error).__name__})"


def decoder() -> json.JSONDecoder:
    """Make a decoder of the same strictness, for bodies that are read value by value."""
    return json.JSONDecoder(parse_float=_as_decimal, parse_int=_as_integer, parse_constant=_refuse_constant)


def as_rows(value: object, *, what: str) -> list[object]:
    """Return `value` as a list. Raises BadAnswer when it is something else."""
    if not isinstance(value, list):
        raise BadAnswer(f"{what} is not a list", excerpt=excerpt_of(value))
    return value


def as_mapping(value: object, *, what: str) -> Mapping[str, object]:
    """Return `value` as a mapping. Raises BadAnswer when it is something else."""
    if not isinstance(value, dict):
        raise BadAnswer(f"{what} is not an object", excerpt=excerpt_of(value))
    return cast("Mapping[str, object]", value)


def excerpt_of(value: object) -> str:
    """Return the beginning of a body or row as plain text that a database and a page can hold."""
    text = value[: EXCERPT_LENGTH * 4].decode("utf-8", "replace") if isinstance(value, bytes) else _dumped(value)
    return text.replace("\x00", "\ufffd")[:EXCERPT_LENGTH]


def _dumped(value: object) -> str:
    try:
        return json.dumps(value, default=str)
    except RecursionError:
        return "(nested too deeply to show)"


class Row:
    """One object of an answer, read field by field; every reader raises BadRow naming the field."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise BadRow("the row is not an object")
        self._fields = cast("Mapping[str, object]", value)

    def has(self, name: str) -> bool:
        """Return whether the field is there and not null."""
        return self._fields.get(name) is not None

    def text(self, name: str, *, length_max: int = TEXT_LENGTH_MAX) -> str:
        """Return a text that is not empty."""
        return _text(self._there(name), name, length_max)

    def text_or(self, name: str, default: str, *, length_max: int = TEXT_LENGTH_MAX) -> str:
        """Return a text, or `default` when the field is missing, null or empty."""
        return default if self._fields.get(name) in (None, "") else self.text(name, length_max=length_max)

    def flag(self, name: str, default: bool | None = None) -> bool:
        """Return a true boolean; `default` stands in for a missing one when it is given."""
        value = self._fields.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, bool):
            raise BadRow(f"{name} is missing" if value is None else f"{name} is not true or false")
        return value

    def number(self, name: str, *, low: Decimal, high: Decimal = NUMBER_MAX) -> Decimal:
        """Return a JSON number between `low` and `high`."""
        value = self._there(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise BadRow(f"{name} is not a number")
        return _within(_bounded(value, name), name, low, high)

    def number_text(self, name: str, *, low: Decimal, high: Decimal = NUMBER_MAX) -> Decimal:
        """Return a number that the vendor writes as text."""
        return number_in(self._there(name), name, low=low, high=high)

    def moment(self, name: str) -> datetime:
        """Return an ISO 8601 moment with its offset, in UTC."""
        text = _text(self._there(name), name, 64)
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise BadRow(f"{name} has no offset from UTC")
            return _plausible(moment.astimezone(UTC), name)
        except (ValueError, OverflowError):
            raise BadRow(f"{name} is not a moment") from None

    def moment_or_none(self, name: str) -> datetime | None:
        """Return an ISO 8601 moment, or None when the field is missing, null or empty."""
        return None if self._fields.get(name) in (None, "") else self.moment(name)

    def seconds_moment(self, name: str) -> datetime:
        """Return a moment given as whole seconds since 1970."""
        return moment_of_seconds(self._there(name), name)

    def row(self, name: str) -> Row:
        """Return an object inside this one."""
        value = self._there(name)
        if not isinstance(value, dict):
            raise BadRow(f"{name} is not an object")
        return Row(value)

    def items(self, name: str) -> Sequence[object]:
        """Return a list inside this object."""
        value = self._there(name)
        if not isinstance(value, list):
            raise BadRow(f"{name} is not a list")
        return value

    def texts_in_text(self, name: str, *, count_max: int = 200) -> tuple[str, ...]:
        """Return a list of texts that the vendor writes as JSON inside a text."""
        try:
            value = parse_json(_text(self._there(name), name, 100_000).encode())
        except BadAnswer:
            raise BadRow(f"{name} is not JSON inside a text") from None
        if not isinstance(value, list) or len(value) > count_max:
            raise BadRow(f"{name} is not a list of at most {count_max} inside a text")
        return tuple(_text(item, name, TEXT_LENGTH_MAX) for item in value)

    def _there(self, name: str) -> object:
        value = self._fields.get(name)
        if value is None:
            raise BadRow(f"{name} is missing")
        return value


def number_in(value: object, name: str, *, low: Decimal, high: Decimal = NUMBER_MAX) -> Decimal:
    """Return the number that a text holds, between `low` and `high`. Raises BadRow."""
    text = _text(value, name, 60)
    # Decimal() would also take "NaN", "1_000", full-width digits and surrounding spaces.
    if not text.isascii() or not set(text) <= set("0123456789.eE+-"):
        raise BadRow(f"{name} is not a number inside a text")
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise BadRow(f"{name} is not a number inside a text") from None
    return _within(_bounded(number, name), name, low, high)


def moment_of_seconds(value: object, name: str) -> datetime:
    """Return the moment that whole seconds since 1970 mean. Raises BadRow."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRow(f"{name} is not whole seconds")
    return _moment(value, 1, name)


def moment_of_milliseconds(text: str, name: str) -> datetime:
    """Return the moment that a text of whole milliseconds since 1970 means. Raises BadRow."""
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise BadRow(f"{name} is not whole milliseconds")
    return _moment(int(text), 1000, name)


def _moment(count: int, per_second: int, name: str) -> datetime:
    if abs(count) > 10**10 * per_second:
        raise BadRow(f"{name} is not a plausible moment")
    return _plausible(datetime.fromtimestamp(count / per_second, tz=UTC), name)


def _plausible(moment: datetime, name: str) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise BadRow(f"{name} is not a plausible moment")
    return moment


def _text(value: object, name: str, length_max: int) -> str:
    if not isinstance(value, str):
        raise BadRow(f"{name} is not a text")
    if not value or len(value) > length_max:
        raise BadRow(f"{name} is empty" if not value else f"{name} is longer than {length_max}")
    # PostgreSQL holds neither a zero byte nor half of a surrogate pair.
    if "\x00" in value or not _is_encodable(value):
        raise BadRow(f"{name} holds characters that are not text")
    return value


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bounded(value: int | Decimal, name: str) -> Decimal:
    """Return a finite number of sane size and precision; checks the exponent first, for 1e999999999 is a short text."""
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or number.adjusted() > 20 or exponent < -DECIMALS_MAX:
        raise BadRow(f"{name} is not a plausible number")
    return number


def _within(number: Decimal, name: str, low: Decimal, high: Decimal) -> Decimal:
    if not low <= number <= high:
        raise BadRow(f"{name} is not between {low} and {high}")
    return number


def _as_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError("a number beyond all bounds") from None


def _as_integer(text: str) -> int | Decimal:
    """Return a whole number; one that is too long to be meant stays a `Decimal`, which the row's reader refuses."""
    return int(text) if len(text) <= INTEGER_DIGITS_MAX else _as_decimal(text)


def _refuse_constant(name: str) -> NoReturn:
    raise _Refusal(f"holds {name}, which is not JSON")


def _as_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refusal(f"has the key {twice[:40]!r} twice in one object")
    return value
