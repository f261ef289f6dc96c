"""What goes out and what comes back, free of any HTTP library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.resilience.breaker import BreakerPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call to make. `json` is the body as encoded bytes; `repeatable` says that making it twice does no harm."""

    operation: str
    url: str
    method: str = "GET"
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    json: bytes | None = None
    correlation_id: str = ""
    repeatable: bool = True


@dataclass(slots=True)
class Journey:
    """What a call went through: attempts made, seconds spent waiting for slots, the breaker's phase at the last one."""

    attempts: int = 0
    wait_s: float = 0.0
    phase: BreakerPhase = BreakerPhase.CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one attempt brought: a success status, headers with lower-case names, and the decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A good answer with its journey. `received_at_s` is in seconds since 1970 UTC."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at_s: float
    duration_s: float
    journey: Journey
