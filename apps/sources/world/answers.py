"""How a window answers: JSON, and refusals in the vendor's own shape."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web


class Refusal(Exception):
    """The vendor says no: an HTTP status and the JSON body this vendor would send."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


def as_json(body: object, status: int = 200) -> web.Response:
    """Return compact JSON; a NaN is an error of ours and raises."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return web.json_response(text=text, status=status)


def as_number(value: float) -> str:
    """Write a price or a size as the venue does: `0.5`, `0.999`, `205`, `232.25`."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return text or "0"


def as_whole(text: str, refusal: Refusal) -> int:
    """Read a whole number of a query, or refuse."""
    try:
        return int(text)
    except ValueError:
        raise refusal from None


async def read_json(request: web.Request, refusal: Refusal) -> Any:
    """Read a JSON body, or refuse."""
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        raise refusal from None
