"""What the arguments of a job may be: small, plain JSON that names things and holds no secrets. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from apps.core.masking import looks_secret
from apps.jobs.errors import WrongJob

BYTES_MAX = 16 * 1024
DEPTH_MAX = 20
FIELD = "kwargs"


def as_json(kwargs: Mapping[str, Any]) -> str:
    """Return the arguments as JSON text.

    Raises WrongJob, its `field` naming the argument, for what is no JSON (NaN and infinity included), holds NUL, looks like a
    secret by its name, is nested deeper than 20 or larger than 16 KiB.
    """
    for name, value in kwargs.items():
        _refuse_unfit(name, value)
    text = json.dumps(dict(kwargs), allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > BYTES_MAX:
        raise WrongJob(f"arguments of {len(text.encode())} bytes; at most {BYTES_MAX}: pass ids, not contents", field=FIELD)
    return text


def _refuse_unfit(name: object, value: object) -> None:
    if not isinstance(name, str):
        raise WrongJob(f"arguments have names, not {type(name).__name__}", field=FIELD)
    field = f"{FIELD}.{name}"
    for path, text in _texts(value, name):
        if "\x00" in text:
            raise WrongJob(f"{field} holds NUL", field=field)
        if path == "name" and looks_secret(text):
            raise WrongJob(f"{field} looks like a secret: pass an id and let the task read it", field=field)
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, UnicodeEncodeError) as error:
        raise WrongJob(f"{field} is no JSON: {error}", field=field) from error


def _texts(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Yield ("name" | "value", text) of everything inside, without recursion. Raises WrongJob when it is too deep."""
    waiting: list[tuple[object, int]] = [(value, 1)]
    yield "name", name
    while waiting:
        inner, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise WrongJob(f"{FIELD}.{name} is nested deeper than {DEPTH_MAX}", field=f"{FIELD}.{name}")
        if isinstance(inner, str):
            yield "value", inner
        elif isinstance(inner, Mapping):
            yield from (("name", key) for key in inner if isinstance(key, str))
            waiting.extend((part, depth + 1) for part in inner.values())
        elif isinstance(inner, list | tuple):
            waiting.extend((part, depth + 1) for part in inner)
