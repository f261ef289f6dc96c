"""What a spoiler of answers is given: the request, the true answer on demand, and what the fault was told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from apps.sources.world.fault_plan import Strike

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Scene:
    """One struck request. `true_body` asks the window what it would have answered."""

    request: web.Request
    true_body: Callable[[], Awaitable[bytes]]
    strike: Strike
    now_s: float

    def whole(self, name: str) -> int:
        """Return a param that is a whole number."""
        value = self.strike.fault.params[name]
        if not isinstance(value, int):
            raise TypeError(f"{name} is not a whole number")
        return value

    def number(self, name: str) -> float:
        """Return a param that is a number."""
        value = self.strike.fault.params[name]
        if not isinstance(value, int | float):
            raise TypeError(f"{name} is not a number")
        return float(value)

    def text(self, name: str) -> str:
        """Return a param that is a text."""
        return str(self.strike.fault.params[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a param that is several texts."""
        value = self.strike.fault.params[name]
        return tuple(str(item) for item in value) if isinstance(value, tuple) else ()

    def flag(self, name: str) -> bool:
        """Return a param that is true or false."""
        return self.strike.fault.params[name] is True


Spoiler = Callable[[Scene], Awaitable[web.StreamResponse]]
