"""Screening: the prices of a list of symbols now, from a chain of sources, kept for those who ask again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apps.core import clock
from apps.core.db import durable
from apps.core.errors import DeskError, NotFound
from apps.core.progress import Progress, unheard
from apps.resilience import AllSourcesFailed, Cached, KitError
from apps.sources import chains, http, screens, visits
from apps.sources.chains import Chain
from apps.sources.errors import NobodyAnswered
from apps.sources.models import Source
from apps.sources.registry import vendor_of, why_off
from apps.sources.rounds import Called, Round
from apps.sources.screens import Order, Screen
from apps.sources.services.keeping import ensure_sources
from apps.sources.visits import Visit


@durable
def screen(
    *,
    name: str,
    symbols: Sequence[str],
    now: datetime,
    by: str,
    force: bool = False,
    order: Order = "change",
    progress: Progress = unheard,
) -> Screen:
    """Return the prices of these symbols, ranked, each with its source and age.

    Young ones come from the cache and nobody is asked, unless `force`. The chain called `name` (crypto, stocks) is gone
    through for what is missing; what nobody brings is shown from better days, with its age. Raises NotFound for another
    chain, and NobodyAnswered when there is nothing to show.
    """
    chain = chains.CHAINS.get(name)
    if chain is None or chain.mode != "first":
        raise NotFound(f"there is no screen {name!r}")
    wanted = tuple(dict.fromkeys(symbols))
    round_ = Round(chain=chain, symbols=wanted, closed=_closed(chain), progress=progress)
    try:
        cached = http.fetch_kept(screens.key_of(name, wanted), round_.load, rule=screens.RULE, force=force)
    except KitError as error:  # of another process that asked for the same the cache knows the failure's words alone
        told = round_.told(error) if isinstance(error, AllSourcesFailed) else str(error)
        raise NobodyAnswered(f"nobody has prices of {name}: {told}", retry_after_s=error.retry_after_s) from error
    finally:
        _write_down(round_.called, now=now, by=by)
    return _screen(chain, wanted, cached, order=order, now=max(now, clock.now()), is_cached=not round_.has_loaded)


def _closed(chain: Chain) -> dict[str, str]:
    """Return which sources of a chain must not be asked, and why; one query, for this comes before every cached answer."""
    paused = dict(Source.objects.filter(slug__in=chain.sources, state="paused").values_list("slug", "state_reason"))
    reasons = {slug: f"paused: {paused[slug]}" if slug in paused else why_off(vendor_of(slug)) for slug in chain.sources}
    return {slug: reason for slug, reason in reasons.items() if reason}


def _write_down(called: Sequence[Called], *, now: datetime, by: str) -> None:
    """Write the trace of every source that was asked."""
    if called:
        ensure_sources(now=now, by=by)
    for one in called:
        visit = Visit(source=one.source, journal=one.journal, duration_s=one.duration_s, now=now, by=by)
        if isinstance(one.outcome, DeskError):
            visits.note_failure(visit, one.outcome)
        elif one.journal.calls:
            visits.note_success(visit, one.outcome)


def _screen(chain: Chain, symbols: Sequence[str], cached: Cached, *, order: Order, now: datetime, is_cached: bool) -> Screen:
    kept = screens.unpacked(cached.value)
    if kept is None:
        raise NobodyAnswered(f"what is kept of {chain.name} cannot be read; ask with a forced refresh")
    return Screen(
        name=chain.name,
        rows=screens.ranked(kept, order=order, now=now),
        missing=tuple(symbol for symbol in symbols if symbol not in kept.quoted),
        parts=kept.parts,
        is_cached=is_cached,
        age_s=cached.age_s,
        reason=cached.reason,
    )
