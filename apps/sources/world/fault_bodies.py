"""Spoilt bodies, made of the true ones. All pure: bytes in, bytes out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

NEAR_S = 400 * 86_400  # a number this close to now is taken for a moment
PRICE_NAMES = frozenset(
    {
        "price", "p", "bid", "ask", "bestBid", "bestAsk", "lastTradePrice", "last_trade_price", "outcomePrices",
        "open", "high", "low", "close", "adjclose", "regularMarketPrice", "chartPreviousClose",
    }
)  # fmt: skip
NUMBER_TEXT = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
MOMENT_TEXT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
FIRST_KEY = re.compile(rb'\{\s*("(?:[^"\\]|\\.)*")\s*:')
PLACE = "\ue000the number\ue000"
# Our own page in the manner of a content network's wall; it loads nothing and runs nothing.
WALL = b"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Just a moment...</title></head>
<body><h1>Checking your browser before you go on</h1>
<p>Please turn JavaScript on and reload the page.</p><p>Ray ID: 0000000000000000</p></body></html>
"""
Change = Callable[[str, Any], Any]


def encoded(body: bytes, encoding: str) -> bytes:
    """Return the same text in another encoding, or with bytes that UTF-8 or a database cannot hold."""
    if encoding == "bom":
        return b"\xef\xbb\xbf" + body
    if encoding == "zero-bytes":
        return b"\x00" + body
    if encoding == "latin-1":
        return body.replace(b'"', b'"\xe9', 1) if b'"' in body else b'["\xe9"]'
    return body.decode().encode(encoding)


def with_duplicate_key(body: bytes) -> bytes:
    """Return the body with the first key of its first object twice, the first time with another value."""
    doubled, found = FIRST_KEY.subn(rb"{\1:0,\1:", body, count=1)
    return doubled if found else b'[{"id":"1","id":"2"}]'


def with_number(body: bytes, literal: str, *, every: bool) -> bytes:
    """Return the body with `literal` in place of its first number (or of every one); one inside a text counts too."""
    places = count()

    def change(_: str, leaf: Any) -> Any:
        return PLACE if _is_number(leaf) and (every or next(places) == 0) else leaf

    spoilt = _changed(body, change)
    place = json.dumps(PLACE).encode()
    return spoilt.replace(place, literal.encode()) if place in spoilt else f"[{literal}]".encode()


def deep(depth: int, of: str) -> bytes:
    """Return nothing but nesting, `depth` levels of it."""
    return b"[" * depth + b"]" * depth if of == "arrays" else b'{"a":' * depth + b"0" + b"}" * depth


def moved_back(body: bytes, by_s: float, *, now_s: float) -> bytes:
    """Return the body with every moment near now `by_s` earlier: seconds, milliseconds, ISO texts."""
    return _changed(body, lambda _, leaf: _earlier(leaf, by_s, now_s))


def scaled(body: bytes, factor: float, *, every: int) -> bytes:
    """Return the body with every `every`-th price times `factor`, those in JSON inside a text too."""
    places = count()
    by = Decimal(repr(factor))

    def change(name: str, leaf: Any) -> Any:
        if name not in PRICE_NAMES:
            return leaf
        if isinstance(leaf, str) and leaf.startswith("["):
            return json.dumps([change(name, item) for item in json.loads(leaf)])
        return _times(leaf, by) if _is_number(leaf) and next(places) % every == 0 else leaf

    return _changed(body, change)


def with_wrong_types(body: bytes, every: int) -> bytes:
    """Return the body with every `every`-th value of another type."""
    places = count()
    return _changed(body, lambda _, leaf: _swapped(leaf) if next(places) % every == 0 else leaf)


def _changed(body: bytes, change: Change) -> bytes:
    return json.dumps(_walked("", json.loads(body), change), separators=(",", ":")).encode()


def _walked(name: str, value: Any, change: Change) -> Any:
    """Return the value with every leaf changed; the items of a list go by the list's name."""
    if isinstance(value, dict):
        return {key: _walked(key, part, change) for key, part in value.items()}
    if isinstance(value, list):
        return [_walked(name, part, change) for part in value]
    return change(name, value)


def _is_number(leaf: Any) -> bool:
    is_text = isinstance(leaf, str) and NUMBER_TEXT.fullmatch(leaf) is not None
    return is_text or (isinstance(leaf, int | float) and not isinstance(leaf, bool))


def _times(leaf: Any, factor: Decimal) -> Any:
    product = Decimal(str(leaf)) * factor
    return f"{product:f}" if isinstance(leaf, str) else float(product)


def _earlier(leaf: Any, by_s: float, now_s: float) -> Any:
    if isinstance(leaf, str) and MOMENT_TEXT.fullmatch(leaf):
        moment = datetime.fromisoformat(leaf)
        return (moment - timedelta(seconds=by_s)).astimezone(UTC).isoformat() if moment.tzinfo else leaf
    if not _is_number(leaf):
        return leaf
    for per_second in (1, 1_000):
        if abs(float(leaf) / per_second - now_s) < NEAR_S:
            return type(leaf)(int(float(leaf) - by_s * per_second))
    return leaf


def _swapped(leaf: Any) -> Any:
    if isinstance(leaf, str):
        return 7 if not _is_number(leaf) else [leaf]
    return "yes" if isinstance(leaf, bool) or leaf is None else {"value": leaf}
