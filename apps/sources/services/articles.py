"""Fetching articles and posts: all sources of a kind at once, each failure a part of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from apps.core import clock
from apps.core.db import durable
from apps.core.errors import Broken, DeskError
from apps.core.progress import Progress, unheard
from apps.resilience import KitError, SlotAhead
from apps.sources import http, visits
from apps.sources.calling import Journal
from apps.sources.chains import Part
from apps.sources.errors import CallInTransaction, NotOffered, SourceClosed, VendorAway
from apps.sources.hauls import HAULS, ArticleHaul
from apps.sources.ports import Articles, Caller, Gathered, Vendor
from apps.sources.services.fetching import _fetch, _offered, _open_vendor
from apps.sources.types import ArticleRecord, Batch
from apps.sources.visits import Visit

log = structlog.get_logger(__name__)
OPERATION = "articles"


@dataclass(slots=True)
class _Errand:
    """One source on its way: whom to ask for what, and how long it took."""

    vendor: Vendor
    feed: Articles
    wishes: Sequence[str]
    journal: Journal
    duration_s: float = 0.0

    async def run(self, caller: Caller) -> Gathered[ArticleRecord]:
        started_s = clock.monotonic_s()
        try:
            return await self.feed(caller, self.wishes)
        finally:
            self.duration_s = clock.monotonic_s() - started_s


@durable
def fetch_articles(*, haul: str, wishes: Mapping[str, Sequence[str]], now: datetime, by: str, source: str = "") -> ArticleHaul:
    """Ask the sources of a haul ("news" or "posts") at once, or `source` alone, and return what they brought, and their parts.

    `wishes` are the words or symbols to search for, by source; a source without its own takes its default ones. A source
    that is off, paused or fails is named with the reason; nothing is raised for it.
    """
    chain = HAULS[haul]
    asked = tuple(slug for slug in chain.sources if source in ("", slug))
    errands, parts = {}, {}
    for slug in asked:
        try:
            errands[slug] = _errand(slug, wishes.get(slug, ()), now=now, by=by)
        except (SourceClosed, NotOffered) as error:
            parts[slug] = Part(source=slug, state="not asked", reason=str(error))
    askings = [http.Asking(vendor=e.vendor, journal=e.journal, question=e.run) for e in errands.values()]
    answers = http.ask_all(askings, timeout_s=chain.timeout_s)
    batches = []
    for slug, errand in errands.items():
        parts[slug], batch = _ended(errand, answers[slug], now=now, by=by)
        batches += [batch] if batch else []
    return ArticleHaul(batches=tuple(batches), parts=tuple(parts[slug] for slug in asked))


@durable
def fetch_articles_of(
    *, source: str, keys: Sequence[str], now: datetime, by: str, progress: Progress = unheard
) -> Batch[ArticleRecord]:
    """Fetch what one source has about any of these words or symbols. Raises what the other fetches raise."""
    vendor = _open_vendor(source, now=now, by=by)
    feed = _offered(vendor, vendor.articles, OPERATION)
    asked = vendor.keys_for(keys, now=now)
    return _fetch(vendor, OPERATION, lambda caller: feed(caller, asked), now=now, by=by, progress=progress)


def _errand(slug: str, wishes: Sequence[str], *, now: datetime, by: str) -> _Errand:
    vendor = _open_vendor(slug, now=now, by=by)
    feed = _offered(vendor, vendor.articles, OPERATION)
    return _Errand(vendor=vendor, feed=feed, wishes=wishes or vendor.default_keys, journal=Journal(operation=OPERATION))


def _ended(
    errand: _Errand, answer: Gathered[ArticleRecord] | Exception, *, now: datetime, by: str
) -> tuple[Part, Batch[ArticleRecord] | None]:
    """Write the trace of one source and return its part, with its batch when it answered."""
    slug, duration_s = errand.vendor.slug, errand.duration_s
    visit = Visit(source=slug, journal=errand.journal, duration_s=duration_s, now=now, by=by)
    if isinstance(answer, Exception):
        error = _in_our_words(slug, answer)
        visits.note_failure(visit, error)
        return Part(source=slug, state="failed", reason=f"{error.code}: {error}", duration_s=duration_s), None
    visits.note_success(visit, answer)
    batch = Batch(
        source=slug,
        operation=OPERATION,
        records=answer.records,
        rejected=answer.rejected,
        fetched_at=errand.journal.received_at or now,
        stale=not answer.complete,
    )
    return Part(source=slug, state="answered", brought=len(batch.records), duration_s=duration_s), batch


def _in_our_words(slug: str, error: Exception) -> DeskError:
    """Return the failure as the room's; a mistake of a feed's code is told loudly and costs the other sources nothing.

    Raises what is none of theirs.
    """
    if isinstance(error, CallInTransaction | SlotAhead):
        raise error
    if isinstance(error, DeskError):
        return error
    if isinstance(error, KitError):
        return VendorAway(f"{slug}: {error}", retry_after_s=error.retry_after_s)
    log.error("articles_feed_broke", source=slug, exc_info=error)
    return Broken(f"{slug}: {type(error).__name__}: {error}")
