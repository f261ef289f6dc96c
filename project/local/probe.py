"""Questions to our own processes over loopback HTTP: is it there, what does it say. Never used for anything outside."""

from __future__ import annotations

import http.client
import json
from typing import Any

TIMEOUT_S = 2.0


def answers(port: int, path: str) -> bool:
    """Whether the process on this loopback port answers `path` with 200."""
    return _get(port, path) is not None


def read_json(port: int, path: str) -> dict[str, Any] | None:
    """Return the JSON object that the process on this loopback port gives for `path`, or None."""
    body = _get(port, path)
    try:
        document = json.loads(body or b"")
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _get(port: int, path: str) -> bytes | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if answer.status == http.HTTPStatus.OK else None
