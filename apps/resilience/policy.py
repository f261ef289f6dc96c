"""How a group of calls is treated; one policy for each other side, named by its key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from apps.resilience.breaker import BreakerRule
from apps.resilience.bulkhead import BulkheadRule
from apps.resilience.freshness import CacheRule
from apps.resilience.limiter import Pace
from apps.resilience.retry import RetryRule

MEBIBYTE = 1_048_576


class Grain(StrEnum):
    """What one breaker watches over: all calls under a policy's key, or each host or operation by itself."""

    KEY = "key"
    HOST = "host"
    OPERATION = "operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The limits of a call. `key` names the shared limiter, breaker and bulkhead; `deadline_s` covers waits and repeats too.

    `connect_s` is the longest time to connect, `read_s` the longest silence of the other side after that.
    `grain` says how finely breakers are told apart. With a `cache` rule, questions (GET, no body, repeatable) are kept
    and served by that rule; without one every call goes out. What `believes` does not take for an answer, whatever its
    status, is not kept: it fails, and an older answer stands in.
    """

    key: str
    pace: Pace | None = None
    breaker: BreakerRule = field(default_factory=BreakerRule)
    grain: Grain = Grain.KEY
    retry: RetryRule = field(default_factory=RetryRule)
    bulkhead: BulkheadRule = field(default_factory=BulkheadRule)
    cache: CacheRule | None = None
    believes: Callable[[bytes], bool] | None = None
    deadline_s: float = 30.0
    connect_s: float = 5.0
    read_s: float = 10.0
    body_bytes_max: int = 16 * MEBIBYTE
    redirects_max: int = 0
