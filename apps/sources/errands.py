"""An errand: one piece of work that asks a source more than once, done in parts between which no worker is held.

When a call of it has to wait for its slot, the work is broken off (`SlotAhead`), and what was answered until then is kept.
The next time the work runs from its beginning again, but each question that was answered before gets the same answer
without a call: so it goes on where it was broken off, and feeds know nothing of it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from apps.resilience import Journey, Response

ANSWER, SAID = "answer ", "said "


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is kept of an errand under one name: an answer with its body, or something that was decided on the way."""

    told: Any
    body: bytes = b""


@dataclass(slots=True)
class Errand:
    """What is known of an errand so far; `fresh` names what this run brought, `has_let_go` that older parts may go."""

    name: str
    parts: dict[str, Part] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    has_let_go: bool = False
    _asking: set[asyncio.Task[Any]] = field(default_factory=set)

    def answer_to(self, question: str) -> Response | None:
        """Return the answer that an earlier run got to this question."""
        part = self.parts.get(ANSWER + question)
        if part is None:
            return None
        told = part.told
        return Response(
            status=told["status"],
            headers=told["headers"],
            body=part.body,
            received_at_s=told["received_at_s"],
            duration_s=told["duration_s"],
            journey=Journey(attempts=told["attempts"], wait_s=told["wait_s"], stale_reason=told["stale_reason"]),
        )

    def keep_answer(self, question: str, response: Response) -> None:
        """Keep an answer; its body must hold no key, for it is written down."""
        journey = response.journey
        told = {
            "status": response.status,
            "headers": dict(response.headers),
            "received_at_s": response.received_at_s,
            "duration_s": response.duration_s,
            "attempts": journey.attempts,
            "wait_s": journey.wait_s,
            "stale_reason": journey.stale_reason,
        }
        self._keep(ANSWER + question, Part(told=told, body=response.body))

    def decided(self, what: str) -> Any:
        """Return what was decided by an earlier run; None when nothing was."""
        part = self.parts.get(SAID + what)
        return None if part is None else part.told

    def keep_decision(self, what: str, told: Any) -> None:
        """Keep what was decided. The answers that led to it are needed no more."""
        self.parts = {name: part for name, part in self.parts.items() if not name.startswith(ANSWER)}
        self.fresh &= self.parts.keys()
        self.has_let_go = True
        self._keep(SAID + what, Part(told=told))

    def _keep(self, name: str, part: Part) -> None:
        self.parts[name] = part
        self.fresh.add(name)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Count the calls that are on their way."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("calls are made by tasks of the loop")
        self._asking.add(task)
        try:
            yield
        finally:
            self._asking.discard(task)

    async def all_back(self) -> None:
        """Wait for the calls that are on their way beside the one that was broken off: their slots are used."""
        others = self._asking - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)


_errand: ContextVar[Errand | None] = ContextVar("errand", default=None)


def present_errand() -> Errand | None:
    """Return the errand that runs here; None outside of one."""
    return _errand.get()


@contextmanager
def underway(errand: Errand) -> Iterator[None]:
    """Let the calls inside be those of an errand, also in the loop that makes them."""
    token = _errand.set(errand)
    try:
        yield
    finally:
        _errand.reset(token)


def question_of(*said: object) -> str:
    """Return the digest by which a question is known, of all that the feed said; the vendor's key is not part of it."""
    return hashlib.sha256(repr(said).encode()).hexdigest()
