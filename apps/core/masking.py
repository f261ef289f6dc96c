"""Taking secrets out of what is written down about a failure. Pure."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Mapping
from typing import Any

MASK = "***"
TRACE_LENGTH_MAX = 8_000
SECRET_NAME = re.compile(r"passw|token|secret|api_?key|authori[sz]ation|cookie|credential", re.IGNORECASE)
PASSWORD_IN_URL = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*://[^:/?#\s@]*:)[^@\s/]+@", re.IGNORECASE)


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` as plain JSON in which everything under a secret-looking name, however deep, is `***`."""
    plain = json.loads(json.dumps(values, default=str, skipkeys=True))
    cleaned: dict[str, Any] = _without_secrets(plain)
    return cleaned


def masked_text(text: str) -> str:
    """Return `text` without the passwords of addresses and without NUL, which PostgreSQL refuses."""
    return PASSWORD_IN_URL.sub(rf"\g<head>{MASK}@", text).replace("\x00", "")


def looks_secret(name: str) -> bool:
    """Say whether what stands under this name is likely a secret."""
    return SECRET_NAME.search(name) is not None


def masked_trace(error: BaseException) -> str:
    """Return the traceback of `error` without passwords, its end when it is long: the end names the place."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return masked_text("".join(lines))[-TRACE_LENGTH_MAX:]


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {masked_text(name): MASK if looks_secret(name) else _without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    return masked_text(value) if isinstance(value, str) else value
