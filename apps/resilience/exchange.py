"""What goes out and what comes back, free of any HTTP library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.resilience.breaker import BreakerPhase
from apps.resilience.errors import RequestRefused

NOT_MODIFIED = 304
_CONDITIONAL = frozenset({"if-none-match", "if-modified-since"})
_METHOD = re.compile(r"[A-Z]{1,16}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_LINE_END = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call to make. `json` is the body as encoded bytes; `repeatable` says that making it twice does no harm.

    `secrets` are keys that stand somewhere in address, parameters or headers: they never travel to another host.
    """

    operation: str
    url: str
    method: str = "GET"
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    json: bytes | None = None
    correlation_id: str = ""
    repeatable: bool = True
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_question(self) -> bool:
        """Whether it asks without changing anything, so that equal requests may share one answer."""
        return self.method == "GET" and self.repeatable and self.json is None

    @property
    def is_conditional(self) -> bool:
        """Whether it asks only for what changed, so that "not modified" is an answer."""
        return any(name.lower() in _CONDITIONAL for name in self.headers)

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells this question from others: two with the same identity have the same answer."""
        return self.url, self.params, tuple(self.headers.items()) if self.headers else ()


def check_request(request: Request) -> None:
    """Refuse characters that would end a line or a word of the request on the wire. Raises RequestRefused."""
    if request.method != "GET" and not _METHOD.fullmatch(request.method):
        raise RequestRefused("a method is a word of capital letters")
    for name, value in request.headers.items():
        if not _HEADER_NAME.fullmatch(name) or _LINE_END.search(value):
            raise RequestRefused("a header's name is one word, and its value one line")
    if request.correlation_id and _LINE_END.search(request.correlation_id):
        raise RequestRefused("a correlation id is one line")


@dataclass(slots=True)
class Journey:
    """What a call went through.

    `attempts` made (0 when the answer was at hand), seconds spent waiting for slots (`wait_s`) and for a place at the
    bulkhead (`queued_s`), redirects followed, the breaker's phase at the last attempt. `grade` is that of an answer
    from the cache ("" for one from the wire), `stale_reason` why it could not be refreshed, and `revalidated` says that
    the other side was asked and the stored answer is still the present one.
    """

    attempts: int = 0
    wait_s: float = 0.0
    phase: BreakerPhase = BreakerPhase.CLOSED
    queued_s: float = 0.0
    redirects: int = 0
    revalidated: bool = False
    grade: str = ""
    stale_reason: str = ""


@dataclass(slots=True, kw_only=True)
class Answer:
    """What one attempt brought: a success status, headers with lower-case names, and the unpacked body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at_s: float
    redirects: int = 0


@dataclass(slots=True, kw_only=True)
class Response:
    """A good answer with its journey. `received_at_s` is in seconds since 1970 UTC, of the wire also when it was kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at_s: float
    duration_s: float
    journey: Journey
