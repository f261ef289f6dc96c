"""Reading the sources: how fresh they are, how their fetches went, what was not believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, Count, Max, Q, QuerySet, Sum

from apps.resilience import BreakerState, CacheStatistics, PacedLine, PaceState, PerfReport
from apps.sources import http, registry
from apps.sources.models import FetchLog, Quarantine, Source
from apps.sources.pacing import paced_queue
from apps.sources.types import SourceState

STANDING_PERIOD = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """A source as others see it."""

    slug: str
    name: str
    state: SourceState
    state_reason: str
    offers: tuple[str, ...]
    base_url: str
    fresh_s: float | None
    last_success_at: datetime | None
    last_error_at: datetime | None
    last_error: str
    per_minute_set: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How long ago a source last brought something (None: never), and how long that may be (None: as long as it likes)."""

    slug: str
    state: SourceState
    age_s: float | None
    age_max_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchStats:
    """How the fetches of one source and operation went in a period."""

    source: str
    operation: str
    fetches: int
    failures: int
    calls: int
    records: int
    rejected: int
    mean_ms: float
    max_ms: int
    rate_wait_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerView:
    """The breaker of a source as an operator sees it, and the pace that it is asked at now and at most."""

    slug: str
    phase: str
    failures: int
    calls_saved: int
    per_minute: float
    per_minute_published: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStanding:
    """All that an operator wants to know of a source; counts of fetches and faults are of the last hour."""

    view: SourceView
    breaker: BreakerView
    cache: CacheStatistics
    fetches: int
    failures: int
    quarantined: int


def sources_table() -> QuerySet[Source]:
    """Return the sources for lists that filter and page."""
    return Source.objects.all()


def fetch_logs_table() -> QuerySet[FetchLog]:
    """Return the fetch log for lists that filter and page."""
    return FetchLog.objects.all()


def list_sources() -> tuple[SourceView, ...]:
    """Return every source that has a vendor, by slug."""
    return tuple(_view(row) for row in Source.objects.filter(slug__in=registry.slugs()))


def list_freshness(*, now: datetime) -> tuple[Freshness, ...]:
    """Return the age of every source's last success, by slug."""
    return tuple(
        Freshness(
            slug=row.slug,
            state=_state_of(row)[0],
            age_s=None if row.last_success_at is None else (now - row.last_success_at).total_seconds(),
            age_max_s=registry.vendor_of(row.slug).fresh_s,
        )
        for row in Source.objects.filter(slug__in=registry.slugs())
    )


def sources_of_books_alone() -> frozenset[str]:
    """Return the slugs of sources that are asked for nothing but order books."""
    with_books = (vendor for vendor in registry.VENDORS.values() if vendor.books)
    return frozenset(vendor.slug for vendor in with_books if not vendor.open_markets and not vendor.candles)


def sources_quoted_by(source: str) -> tuple[str, ...]:
    """Return the slugs of the sources whose outcomes the books of this source are about. Raises UnknownSource."""
    return registry.vendor_of(source).quotes_for


def open_sources(slugs: Sequence[str]) -> tuple[str, ...]:
    """Return those of these sources that may be asked: staff have not paused them, and they have what they need."""
    paused = set(Source.objects.filter(slug__in=slugs, state="paused").values_list("slug", flat=True))
    return tuple(slug for slug in slugs if slug not in paused and not registry.why_off(registry.vendor_of(slug)))


def fetch_stats(*, since: datetime) -> tuple[FetchStats, ...]:
    """Return how fetches went since a moment, by source and operation."""
    rows = (
        FetchLog.objects.filter(started_at__gte=since)
        .order_by("source_id", "operation")
        .values("source_id", "operation")
        .annotate(
            fetches=Count("id"),
            failures=Count("id", filter=~Q(outcome__in=("ok", "incomplete"))),
            sum_calls=Sum("calls"),
            sum_records=Sum("records"),
            sum_rejected=Sum("rejected"),
            mean_ms=Avg("duration_ms"),
            max_ms=Max("duration_ms"),
            sum_wait_ms=Sum("rate_wait_ms"),
        )
    )
    return tuple(
        FetchStats(
            source=row["source_id"],
            operation=row["operation"],
            fetches=row["fetches"],
            failures=row["failures"],
            calls=row["sum_calls"],
            records=row["sum_records"],
            rejected=row["sum_rejected"],
            mean_ms=float(row["mean_ms"]),
            max_ms=row["max_ms"],
            rate_wait_ms=row["sum_wait_ms"],
        )
        for row in rows
    )


def quarantine_counts(*, since: datetime) -> dict[str, int]:
    """Return how many different faults of each source were seen since a moment."""
    rows = Quarantine.objects.filter(last_seen_at__gte=since).order_by("source_id").values_list("source_id")
    return dict(rows.annotate(count=Count("id")))


def list_breakers() -> tuple[BreakerView, ...]:
    """Return the breaker and the pace of every source; the state of all is asked for at once."""
    return tuple(_breaker_view(slug, breaker, pace) for slug, (breaker, pace) in http.look(registry.slugs()).items())


def list_waiting() -> list[PacedLine]:
    """Return how much work waits for slots outside of the workers, by source and tenant. Raises StoreUnavailable."""
    return paced_queue().waiting()


def count_waiting() -> dict[str, int]:
    """Return how much work waits for slots outside of the workers, by source. Raises StoreUnavailable."""
    counts: Counter[str] = Counter()
    for line in list_waiting():
        counts[line.source] += line.count
    return dict(counts)


def list_standings(*, now: datetime) -> tuple[SourceStanding, ...]:
    """Return how every source stands, by slug."""
    since = now - STANDING_PERIOD
    stats = fetch_stats(since=since)
    quarantined = quarantine_counts(since=since)
    breakers = {view.slug: view for view in list_breakers()}
    cache = http.cache_figures()
    return tuple(
        SourceStanding(
            view=view,
            breaker=breakers[view.slug],
            cache=cache.get(view.slug, CacheStatistics()),
            fetches=sum(row.fetches for row in stats if row.source == view.slug),
            failures=sum(row.failures for row in stats if row.source == view.slug),
            quarantined=quarantined.get(view.slug, 0),
        )
        for view in list_sources()
    )


def cache_statistics() -> dict[str, CacheStatistics]:
    """Return what the cache of answers did in all processes, by kind: a source's slug, a screen, an analysis."""
    return http.cache_figures()


def performance() -> PerfReport:
    """Return how long attempts at vendors took and how they failed today, in all processes."""
    return http.performance()


def _breaker_view(slug: str, breaker: BreakerState, pace: PaceState) -> BreakerView:
    vendor = registry.vendor_of(slug)
    published_us = registry.connection_of(vendor).pace.interval_us
    quota = registry.quota_of(vendor)
    return BreakerView(
        slug=slug,
        phase=breaker.phase.value,
        failures=breaker.failures,
        calls_saved=breaker.saved,
        per_minute=round(quota * published_us / max(pace.interval_us, pace.learned.floor_us, pace.override_us, published_us), 3),
        per_minute_published=quota,
    )


def _state_of(row: Source) -> tuple[SourceState, str]:
    """Return a source's state and reason: staff pause it, settings leave it off."""
    if row.state == "paused":
        return "paused", row.state_reason
    reason = registry.why_off(registry.vendor_of(row.slug))
    return ("off", reason) if reason else ("on", "")


def _view(row: Source) -> SourceView:
    vendor = registry.vendor_of(row.slug)
    state, reason = _state_of(row)
    return SourceView(
        slug=row.slug,
        name=row.name,
        state=state,
        state_reason=reason,
        offers=vendor.offers,
        base_url=registry.base_url_of(vendor),
        fresh_s=vendor.fresh_s,
        last_success_at=row.last_success_at,
        last_error_at=row.last_error_at,
        last_error=row.last_error,
        per_minute_set=row.pace_per_minute,
    )
