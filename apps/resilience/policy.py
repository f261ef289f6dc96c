"""How a group of calls is treated; one policy for each other side, named by its key."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.resilience.breaker import BreakerRule
from apps.resilience.limiter import Pace
from apps.resilience.retry import RetryRule

MEBIBYTE = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The limits of a call. `key` names the shared limiter and breaker; `deadline_s` covers waits and repeats too."""

    key: str
    pace: Pace | None = None
    breaker: BreakerRule = field(default_factory=BreakerRule)
    retry: RetryRule = field(default_factory=RetryRule)
    deadline_s: float = 30.0
    connect_s: float = 5.0
    read_s: float = 10.0
    body_bytes_max: int = 16 * MEBIBYTE
    redirects_max: int = 0
