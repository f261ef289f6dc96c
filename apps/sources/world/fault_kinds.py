"""Which faults there are and what each may be told; read strictly, so that a typing error is no silent world without faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from apps.sources.world.errors import WorldRefused

TEXT_MAX = 10_000
JSON_NUMBER = re.compile(r"NaN|-?Infinity|-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
HEADER_TEXT = re.compile(r"[\x20-\x7e\x80-\xff]*")
Value = object
Reader = Callable[[Value], Value]


@dataclass(frozen=True, slots=True)
class Param:
    """One thing that a fault may be told, and what holds when it is not."""

    default: Value
    read: Reader


def number(low: float, high: float) -> Reader:
    """Read a number between `low` and `high`, both allowed."""

    def read(value: Value) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not low <= value <= high:
            raise WorldRefused(f"is not a number between {low:g} and {high:g}")
        return float(value)

    return read


def whole(low: int, high: int) -> Reader:
    """Read a whole number between `low` and `high`, both allowed."""

    def read(value: Value) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise WorldRefused(f"is not a whole number between {low} and {high}")
        return value

    return read


def one_of(*choices: str) -> Reader:
    """Read one of some words."""

    def read(value: Value) -> str:
        if not isinstance(value, str) or value not in choices:
            raise WorldRefused(f"is not one of {', '.join(choices)}")
        return value

    return read


def text(value: Value) -> str:
    """Read a text."""
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise WorldRefused(f"is not a text of at most {TEXT_MAX} characters")
    return value


def header(value: Value) -> str:
    """Read a text that a header can carry."""
    if not isinstance(value, str) or not HEADER_TEXT.fullmatch(value):
        raise WorldRefused("is not a text that a header can carry")
    return value


def headers(value: Value) -> tuple[str, ...]:
    """Read one text or several, each a header of its own."""
    return tuple(header(item) for item in (value if isinstance(value, list) else [value]))


def flag(value: Value) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise WorldRefused("is not true or false")
    return value


def json_number(value: Value) -> str:
    """Read a text that stands where JSON has a number."""
    if not isinstance(value, str) or not JSON_NUMBER.fullmatch(value):
        raise WorldRefused("is not the text of a number, NaN or Infinity")
    return value


STATUS = Param(503, whole(400, 599))
SOME_S = Param(3_600.0, number(0, 10**9))
KINDS: Mapping[str, Mapping[str, Param]] = MappingProxyType(
    {
        "status": {
            "status": STATUS,
            "retry_after": Param((), headers),
            "body": Param('{"error":"a fault of the recorded world"}', text),
            "content_type": Param("application/json", header),
        },
        "reset": {"after_bytes": Param(0, whole(0, 10**9))},
        "drip": {"bytes_per_s": Param(100.0, number(0.1, 10**9))},
        "endless": {"bytes_per_s": Param(10_000_000.0, number(1, 10**9))},
        "gzip_bomb": {"megabytes": Param(1_024, whole(1, 4_096))},
        "cut": {"part": Param(0.5, number(0, 1)), "content_length": Param("right", one_of("right", "wrong"))},
        "html": {"status": Param(200, whole(200, 599))},
        "encoding": {"as": Param("bom", one_of("bom", "utf-16", "utf-16-be", "utf-32", "latin-1", "zero-bytes"))},
        "duplicate_keys": {},
        "number": {"text": Param("NaN", json_number), "every": Param(default=False, read=flag)},
        "empty": {},
        "redirect": {"to": Param("self", header), "status": Param(302, whole(300, 308))},
        "stale": {"by_s": SOME_S},
        "scaled": {"factor": Param(100.0, number(-(10**9), 10**9)), "every": Param(1, whole(1, 10**6))},
        "deep": {"depth": Param(100_000, whole(1, 5_000_000)), "of": Param("arrays", one_of("arrays", "objects"))},
        "content_type": {"content_type": Param("text/html", header)},
        "wrong_types": {"every": Param(1, whole(1, 10**6))},
        "body": {
            "body": Param("", text),
            "status": Param(200, whole(200, 599)),
            "content_type": Param("application/json", header),
        },
        "quota": {
            "requests": Param(60, whole(1, 10**7)),
            "window_s": Param(60.0, number(0.001, 10**6)),
            "style": Param("fixed", one_of("fixed", "sliding", "bucket")),
            "burst": Param(0, whole(0, 10**7)),
            "retry_after": Param(default=True, read=flag),
            "status": Param(429, whole(400, 599)),
        },
    }
)


def params_of(kind: str, given: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return all params of a fault, defaults where nothing is said. Raises WorldRefused for what is unknown or wrong."""
    known = KINDS[kind]
    for name in given:
        if name not in known:
            raise WorldRefused(f"{kind} has no param {name!r}; it has {', '.join(known) or 'none'}")
    return MappingProxyType({name: _read(name, param, given) for name, param in known.items()})


def _read(name: str, param: Param, given: Mapping[str, Value]) -> Value:
    if name not in given:
        return param.default
    try:
        return param.read(given[name])
    except WorldRefused as refusal:
        raise WorldRefused(f"{name} {refusal}") from None
