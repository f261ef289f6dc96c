"""How matches ended into the store: the results of all the markets that are about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from apps.core.db import durable, transaction
from apps.markets import sports
from apps.markets.models import Market
from apps.markets.resolution import Situation, Waiting, judge
from apps.markets.services.resolution import End, conclude_batch
from apps.markets.types import MatchCounts
from apps.sources import services as sources

if TYPE_CHECKING:
    from apps.sources.types import Batch, MatchRecord


@durable
def refresh_match_results(*, source: str, now: datetime, by: str, keys: Sequence[str] = ()) -> MatchCounts:
    """Fetch the state of matches and resolve the markets of those that ended. Nothing is done when another is at it.

    `keys` are sports or seasons, by default the source's own. Raises what fetches raise.
    """
    work = partial(_refresh, source=source, keys=keys, now=now, by=by)
    return sources.run_errand(name=f"markets.matches.{source}", work=work, idle=MatchCounts(), now=now)


def _refresh(*, source: str, keys: Sequence[str], now: datetime, by: str) -> MatchCounts:
    batch = sources.fetch_match_results(source=source, keys=keys, now=now, by=by)
    return store_match_results(source=source, batch=batch, now=max(now, batch.fetched_at), by=by)


@transaction
def store_match_results(*, source: str, batch: Batch[MatchRecord], now: datetime, by: str) -> MatchCounts:
    """Believe what a batch says about the ends of matches, through the gates that every result passes.

    A result that differs from the believed one is its next revision; the same again changes nothing. One audit event.
    """
    matches = {match.key: match for match in batch.records}
    rows = Market.objects.filter(source=source, event__source_key__in=matches).order_by("id")
    markets = list(rows.select_for_update(no_key=True, of=("self",)).select_related("event"))
    ends = [_end(market, matches[market.event.source_key], is_stale=batch.stale, now=now) for market in markets]
    ended = [end for end in ends if end is not None]
    results = conclude_batch(ends=ended, action="matches.resolved", source=source, now=now, by=by)
    return MatchCounts(matches=len(matches), markets=len(markets), results=results, rejected=len(batch.rejected))


def _end(market: Market, match: MatchRecord, *, is_stale: bool, now: datetime) -> End | None:
    kind, line = sports.kind_and_line(market.source_key)
    resolution = sports.resolution_of(match, kind, line, kick_off=market.closes_at, now=now)
    if resolution is None:
        return None
    situation = Situation(outcomes=len(sports.OUTCOMES[kind]), closes_at=market.closes_at, is_closed=True, is_stale=is_stale)
    verdict = judge(resolution, situation, now=now)
    return None if isinstance(verdict, Waiting) else End(market, verdict, _evidence(match))


def _evidence(match: MatchRecord) -> Mapping[str, str | int | None]:
    return {"status": match.status, "home": match.home_score, "away": match.away_score}
