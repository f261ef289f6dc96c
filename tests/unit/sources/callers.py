"""A caller that answers from a script and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apps.sources.ports import Params, Reply
from tests.factories.wires import as_body

NOW = datetime(2026, 6, 8, 12, tzinfo=UTC)


class Scripted:
    """`script` is given path and parameters and returns the value of the body, or raises; a value alone is always said."""

    def __init__(self, script: Callable[[str, dict[str, str]], Any] | Any, *, now: datetime = NOW) -> None:
        self.script = script
        self.now = now
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def get(self, path: str, params: Params = (), headers: Params = ()) -> Reply:
        self.asked.append((path, dict(params)))
        value = self.script(path, dict(params)) if callable(self.script) else self.script
        body = value if isinstance(value, bytes) else as_body(value)
        return Reply(body=body, received_at=self.now, headers={"x-mbx-used-weight-1m": "42"})

    async def post(self, path: str, body: object, *, repeatable: bool = True) -> Reply:
        raise AssertionError("nothing is posted to the windows of prices")
