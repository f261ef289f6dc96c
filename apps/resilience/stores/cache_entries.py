"""How a kept value looks in Redis: a head of JSON, and a body that is compressed when that pays.

The head carries the length and the checksum of the plain value, so that a value that was cut, or written by somebody
else, is found out and taken for nothing.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from apps.resilience.cache_ports import Entry, EntryDamaged, Failure

VERSION = 1
COMPRESS_FROM_BYTES = 4_096  # below this a round trip costs more than the bytes
COMPRESS_LEVEL = 1  # the fast one: JSON of vendors shrinks about eightfold with it already
PAYS_BELOW = 0.8


def encode(entry: Entry) -> tuple[bytes, bytes]:
    """Return the head and the body."""
    body, is_packed = entry.value, False
    if len(body) >= COMPRESS_FROM_BYTES:
        packed = zlib.compress(body, COMPRESS_LEVEL)
        if len(packed) < PAYS_BELOW * len(body):
            body, is_packed = packed, True
    head = {
        "version": VERSION,
        "stored_at_s": entry.stored_at_s,
        "kept_s": entry.kept_s,
        "cost_s": entry.cost_s,
        "meta": dict(entry.meta),
        "size": len(entry.value),
        "check": zlib.crc32(entry.value),
        "packed": is_packed,
    }
    return json.dumps(head).encode(), body


def decode(head: bytes, body: bytes | None, *, fence: int) -> Entry:
    """Return the value again. Raises EntryDamaged."""
    try:
        told = json.loads(head, parse_constant=_refuse)
        if told["version"] != VERSION or body is None:
            raise EntryDamaged("a value of another version, or without a body")
        value = _unpacked(body, int(told["size"])) if told["packed"] else body
        if len(value) != told["size"] or zlib.crc32(value) != told["check"]:
            raise EntryDamaged("a value that is not what was written")
        return Entry(
            value=value,
            meta=_texts(told["meta"]),
            stored_at_s=_finite(told["stored_at_s"]),
            kept_s=_finite(told["kept_s"]),
            cost_s=_finite(told["cost_s"]),
            fence=fence,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, zlib.error) as error:
        raise EntryDamaged(f"{type(error).__name__}: {error}") from error


def encode_failure(failure: Failure) -> bytes:
    """Return the failure as JSON."""
    return json.dumps(asdict(failure)).encode()


def decode_failure(text: bytes) -> Failure:
    """Return the failure again. Raises EntryDamaged."""
    try:
        told = json.loads(text, parse_constant=_refuse)
        return Failure(
            code=str(told["code"]),
            message=str(told["message"]),
            transient=bool(told["transient"]),
            failed_at_s=_finite(told["failed_at_s"]),
            kept_s=_finite(told["kept_s"]),
            status=_optional(told["status"], int),
            retry_after_s=_optional(told["retry_after_s"], _finite),
            fence=int(told["fence"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise EntryDamaged(f"{type(error).__name__}: {error}") from error


def _unpacked(body: bytes, size: int) -> bytes:
    """Return the plain value; at most one byte more than the head says, so that a bomb is found out and does not go off."""
    return zlib.decompressobj().decompress(body, max(1, size + 1))


def _texts(meta: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(text) for name, text in meta.items()}


def _refuse(constant: str) -> float:
    raise EntryDamaged(f"{constant} is no number")


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise EntryDamaged("a number without end")
    return number


def _optional(value: Any, kind: Callable[[Any], Any]) -> Any:
    return None if value is None else kind(value)
