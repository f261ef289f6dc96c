"""The sources page: how every window stands, and what staff may do to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.desk.types import WindowRow
from apps.monitoring import services as monitoring
from apps.monitoring.freshness import is_fresh
from apps.resilience import CacheStatistics
from apps.sources import selectors, services
from apps.sources.selectors import SourceStanding

DIGITS_MAX = 9
PAUSE_REASON = "paused at the desk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants done to a source."""

    source: str
    by: str
    now: datetime
    reason: str = ""
    per_minute: str = ""


def window_rows(*, now: datetime) -> tuple[WindowRow, ...]:
    """Return every source with its freshness, pace, breaker and the last hour's fetches; those that are on come first."""
    standings = selectors.list_standings(now=now)
    return tuple(sorted((_row(standing, now=now) for standing in standings), key=lambda row: (row.state != "on", row.name)))


def kept_rows() -> tuple[tuple[str, CacheStatistics], ...]:
    """Return what the cache of answers did, by kind: a source, a screen, an analysis."""
    return tuple(sorted(selectors.cache_statistics().items()))


def _row(standing: SourceStanding, *, now: datetime) -> WindowRow:
    view = standing.view
    age_s = None if view.last_success_at is None else (now - view.last_success_at).total_seconds()
    awaited = view.fresh_s is not None
    fresh = not awaited or is_fresh(age_s, view.fresh_s or 0.0, speed=settings.SCHEDULE_SPEED)
    return WindowRow(
        slug=view.slug,
        name=view.name,
        state=view.state,
        reason=view.state_reason,
        offers=tuple(name.replace("_", " ") for name in view.offers),
        age_s=age_s,
        is_awaited=awaited,
        is_fresh=fresh,
        last_error=view.last_error,
        last_error_at=view.last_error_at,
        breaker=standing.breaker.phase.replace("_", " "),
        breaker_failures=standing.breaker.failures,
        calls_saved=standing.breaker.calls_saved,
        per_minute=standing.breaker.per_minute,
        per_minute_published=standing.breaker.per_minute_published,
        per_minute_set=view.per_minute_set,
        cache_hits=standing.cache.hits,
        cache_asked=standing.cache.hits + standing.cache.misses,
        fetches=standing.fetches,
        failures=standing.failures,
        quarantined=standing.quarantined,
    )


def check(wish: Wish) -> tuple[bool, str]:
    """Ask the live vendor one small question."""
    result = services.self_check(source=wish.source, by=wish.by, now=wish.now)
    return result.is_good, result.message


def pause(wish: Wish) -> tuple[bool, str]:
    """Stop fetching until resumed."""
    services.pause(source=wish.source, reason=wish.reason or PAUSE_REASON, by=wish.by, now=wish.now)
    return True, "paused"


def resume(wish: Wish) -> tuple[bool, str]:
    """Lift the pause."""
    reason = services.resume(source=wish.source, by=wish.by, now=wish.now)
    return True, f"the pause is lifted; off all the same: it {reason}" if reason else "resumed"


def reset(wish: Wish) -> tuple[bool, str]:
    """Close the breaker and let the pace start afresh."""
    services.reset_breaker(source=wish.source, by=wish.by, now=wish.now)
    return True, "breaker closed, pace as published"


def refresh(wish: Wish) -> tuple[bool, str]:
    """Forget what is cached and ring the ticks that ask this source."""
    forgotten = services.force_refresh(source=wish.source, by=wish.by, now=wish.now)
    rung = monitoring.ring_ticks(source=wish.source, by=wish.by, now=wish.now)
    return True, f"{forgotten} cached answers forgotten, {rung} ticks rung"


def set_pace(wish: Wish) -> tuple[bool, str]:
    """Let the source be called so often a minute at most; nothing given: as published."""
    if not wish.per_minute:
        services.set_pace(source=wish.source, per_minute=None, by=wish.by, now=wish.now)
        return True, "pace as published"
    if not wish.per_minute.isascii() or not wish.per_minute.isdigit() or len(wish.per_minute) > DIGITS_MAX:
        return False, "calls a minute are a whole number"
    services.set_pace(source=wish.source, per_minute=int(wish.per_minute), by=wish.by, now=wish.now)
    return True, f"at most {int(wish.per_minute)} calls a minute"


DEEDS: Mapping[str, Callable[[Wish], tuple[bool, str]]] = {
    "check": check,
    "pause": pause,
    "resume": resume,
    "reset": reset,
    "pace": set_pace,
    "refresh": refresh,
}
