"""A small kit for calls that may fail: limiter, breaker, retry and an HTTP client under them.

Plain Python: it knows no framework and no other room, and could be published as it is. The layers stand in a fixed
order, documented in `layers.py`; shared state is behind `Store`, time behind `Clock`, news through `Hook`.
"""

from apps.resilience.addresses import HostPort, host_of
from apps.resilience.batch import Outcome
from apps.resilience.breaker import Admission, BreakerPhase, BreakerRule, BreakerState, Verdict, key_of
from apps.resilience.breakers import Breaker
from apps.resilience.bulkhead import BulkheadRule
from apps.resilience.cache_ports import Cached, CacheStore, Loaded, NotModified
from apps.resilience.cache_statistics import CacheStatistics
from apps.resilience.client import Client
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.degrade import (
    MultiOutcome,
    SourceOutcome,
    SourceState,
    multi_source_fetch,
)
from apps.resilience.errors import (
    AddressRefused,
    AllSourcesFailed,
    BadBody,
    BodyTooLarge,
    BreakerOpen,
    BulkheadFull,
    CallFailed,
    ConnectionFailed,
    HttpStatus,
    KitError,
    NotBelieved,
    PaceExceeded,
    RedirectRefused,
    Refused,
    RequestRefused,
    StoreUnavailable,
    TimedOut,
    UnknownRate,
)
from apps.resilience.exchange import Journey, Request, Response
from apps.resilience.figures import (
    FigureStore,
)
from apps.resilience.freshness import CacheRule, Grade
from apps.resilience.hooks import (
    AnswerRevalidated,
    AttemptFinished,
    BreakerChanged,
    BulkheadWaited,
    CacheRefreshed,
    CacheServed,
    CacheStoodIn,
    Event,
    FailureHandled,
    Hook,
    RedirectFollowed,
    RetryScheduled,
    SourceAsked,
    StoreFellBack,
)
from apps.resilience.leases import Held, Lease, LeaseStore
from apps.resilience.limiter import Feedback, Pace, PaceState, Reservation
from apps.resilience.limiters import Limiter
from apps.resilience.paced import PacedItem, PacedLine, PacedQueue
from apps.resilience.paced_slot import PaidSlot, SlotAhead, allowing, going_on, slot_of_header
from apps.resilience.perf import (
    PerfMonitor,
)
from apps.resilience.perf_report import (
    PerfReport,
)
from apps.resilience.policy import Grain, Policy
from apps.resilience.ports import Store
from apps.resilience.rates import configure_rates, limiter_named, rate_limited
from apps.resilience.retry import NO_RETRY, RetryBudget, RetryRule
from apps.resilience.safely import (
    Kind,
    classify,
    masked,
    safe_execute,
    safe_execute_async,
)
from apps.resilience.singleflight import Singleflight
from apps.resilience.stale_cache import StaleCache
from apps.resilience.standing_in import (
    Served,
    stale_cache_fallback,
)
from apps.resilience.stores.cache_fallback import CacheFallback
from apps.resilience.stores.fallback import FallbackStore
from apps.resilience.stores.figures_memory import (
    MemoryFigures,
)
from apps.resilience.stores.figures_redis import (
    RedisFigures,
)
from apps.resilience.stores.memory import MemoryStore
from apps.resilience.stores.memory_cache import MemoryCache
from apps.resilience.stores.paced_memory import MemoryPaced
from apps.resilience.stores.paced_redis import RedisPaced
from apps.resilience.stores.redis import RedisStore
from apps.resilience.stores.redis_cache import RedisCache

__all__ = [
    "NO_RETRY",
    "AddressRefused",
    "Admission",
    "AllSourcesFailed",
    "AnswerRevalidated",
    "AttemptFinished",
    "BadBody",
    "BodyTooLarge",
    "Breaker",
    "BreakerChanged",
    "BreakerOpen",
    "BreakerPhase",
    "BreakerRule",
    "BreakerState",
    "BulkheadFull",
    "BulkheadRule",
    "BulkheadWaited",
    "CacheFallback",
    "CacheRefreshed",
    "CacheRule",
    "CacheServed",
    "CacheStatistics",
    "CacheStoodIn",
    "CacheStore",
    "Cached",
    "CallFailed",
    "Client",
    "Clock",
    "ConnectionFailed",
    "Event",
    "FailureHandled",
    "FallbackStore",
    "Feedback",
    "FigureStore",
    "Grade",
    "Grain",
    "Held",
    "Hook",
    "HostPort",
    "HttpStatus",
    "Journey",
    "Kind",
    "KitError",
    "Lease",
    "LeaseStore",
    "Limiter",
    "Loaded",
    "MemoryCache",
    "MemoryFigures",
    "MemoryPaced",
    "MemoryStore",
    "MultiOutcome",
    "NotBelieved",
    "NotModified",
    "Outcome",
    "Pace",
    "PaceExceeded",
    "PaceState",
    "PacedItem",
    "PacedLine",
    "PacedQueue",
    "PaidSlot",
    "PerfMonitor",
    "PerfReport",
    "Policy",
    "RedirectFollowed",
    "RedirectRefused",
    "RedisCache",
    "RedisFigures",
    "RedisPaced",
    "RedisStore",
    "Refused",
    "Request",
    "RequestRefused",
    "Reservation",
    "Response",
    "RetryBudget",
    "RetryRule",
    "RetryScheduled",
    "Served",
    "Singleflight",
    "SlotAhead",
    "SourceAsked",
    "SourceOutcome",
    "SourceState",
    "StaleCache",
    "Store",
    "StoreFellBack",
    "StoreUnavailable",
    "SystemClock",
    "TimedOut",
    "UnknownRate",
    "Verdict",
    "allowing",
    "classify",
    "configure_rates",
    "going_on",
    "host_of",
    "key_of",
    "limiter_named",
    "masked",
    "multi_source_fetch",
    "rate_limited",
    "safe_execute",
    "safe_execute_async",
    "slot_of_header",
    "stale_cache_fallback",
]
