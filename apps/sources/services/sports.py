"""Fetching of sports: bookmakers' odds, and how matches ended.

Both raise what every fetch raises: see `fetching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apps.core.db import durable
from apps.core.progress import Progress, unheard
from apps.sources.services.fetching import _fetch, _offered, _open_vendor
from apps.sources.types import Batch, MatchRecord, OddsRecord


@durable
def fetch_odds(
    *, source: str, now: datetime, by: str, keys: Sequence[str] = (), progress: Progress = unheard
) -> Batch[OddsRecord]:
    """Fetch what bookmakers offer on the matches of these sports or seasons, by default the source's own ones."""
    vendor = _open_vendor(source, now=now, by=by)
    feed, asked = _offered(vendor, vendor.odds, "odds"), vendor.keys_for(keys, now=now)
    return _fetch(vendor, "odds", lambda caller: feed(caller, asked), now=now, by=by, progress=progress)


@durable
def fetch_match_results(
    *, source: str, now: datetime, by: str, keys: Sequence[str] = (), progress: Progress = unheard
) -> Batch[MatchRecord]:
    """Fetch the state of the matches of these sports or seasons, by default the source's own ones."""
    vendor = _open_vendor(source, now=now, by=by)
    feed, asked = _offered(vendor, vendor.match_results, "match results"), vendor.keys_for(keys, now=now)
    return _fetch(vendor, "match_results", lambda caller: feed(caller, asked), now=now, by=by, progress=progress)
