"""The written trace of a fetch: one log row, the source's freshness, and the quarantine. The tables' own room only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection

from apps.core.db import transaction
from apps.core.errors import DeskError
from apps.resilience import NotBelieved
from apps.sources.calling import CallNote, Journal, without_key
from apps.sources.errors import BadAnswer
from apps.sources.models import FetchCall, FetchLog, Source
from apps.sources.ports import Gathered
from apps.sources.registry import VENDORS, key_of
from apps.sources.types import Rejected

T = TypeVar("T")
QUARANTINED_MAX = 500  # a vendor that turns bad altogether shows as well in 500 rows as in 5,000
ERROR_LENGTH = 300
PATH_LENGTH = 200

_QUARANTINE = """
INSERT INTO sources_quarantine
    (source_id, operation, reason, row_key, excerpt, payload_digest, at, last_seen_at, seen_count)
SELECT %(source)s, %(operation)s, reason, row_key, excerpt, digest, %(now)s, %(now)s, 1
FROM unnest(%(reasons)s::text[], %(keys)s::text[], %(excerpts)s::text[], %(digests)s::text[])
    AS fault (reason, row_key, excerpt, digest)
ON CONFLICT (source_id, payload_digest, reason) DO UPDATE
SET seen_count = sources_quarantine.seen_count + 1, last_seen_at = EXCLUDED.last_seen_at, excerpt = EXCLUDED.excerpt
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One fetch as it is written down: to whom, what it went through, how long it took, and for whom."""

    source: str
    journal: Journal
    duration_s: float
    now: datetime
    by: str


@transaction
def note_success(visit: Visit, gathered: Gathered[T]) -> None:
    """Write down a fetch that was answered: it makes the source fresh unless not one row of it was believed."""
    outcome = "ok" if gathered.complete else "incomplete"
    _note(visit, outcome, records=len(gathered.records), rejected=len(gathered.rejected))
    _quarantine(visit.source, visit.journal.operation, gathered.rejected, now=visit.now)
    if gathered.records or not gathered.rejected:
        Source.objects.filter(slug=visit.source).update(last_success_at=visit.now)
    else:
        _show_error(visit.source, f"{len(gathered.rejected)} rows, none believed", now=visit.now)


@transaction
def note_kept(visit: Visit, gathered: Gathered[T]) -> None:
    """Write down a fetch that failed while an older answer stood in: no news of the vendor, and an error to show."""
    _note(visit, "kept", records=len(gathered.records), rejected=len(gathered.rejected))
    if visit.journal.kept_reason.startswith(NotBelieved.code):
        fault = Rejected(reason=visit.journal.kept_reason[:ERROR_LENGTH], excerpt="")
        _quarantine(visit.source, visit.journal.operation, (fault,), now=visit.now)
    _show_error(visit.source, f"kept answer served: {visit.journal.kept_reason}", now=visit.now)


@transaction
def note_failure(visit: Visit, error: DeskError) -> None:
    """Write down a fetch that failed; an answer that was not believed goes into the quarantine whole."""
    rejected = (_whole(visit, error),) if isinstance(error, BadAnswer) else ()
    _note(visit, visit.journal.error_code or error.code, records=0, rejected=len(rejected))
    _quarantine(visit.source, visit.journal.operation, rejected, now=visit.now)
    _show_error(visit.source, f"{error.code}: {error}", now=visit.now)


@transaction
def note_doubt(source: str, operation: str, fault: Rejected, *, now: datetime) -> None:
    """Write down an answer that was sound in itself and was not believed beside what is stored."""
    _quarantine(source, operation, (fault,), now=now)
    _show_error(source, fault.reason, now=now)


def _whole(visit: Visit, error: BadAnswer) -> Rejected:
    """Return an answer that was not believed as one fault, known by its body; where several came, by the one at fault."""
    digest = error.digest or (visit.journal.digest if len(visit.journal.notes) == 1 else "")
    return Rejected(reason=error.reason, excerpt=error.excerpt, digest=digest)


def _show_error(source: str, text: str, *, now: datetime) -> None:
    Source.objects.filter(slug=source).update(last_error_at=now, last_error=text.replace("\x00", "")[:ERROR_LENGTH])


def _note(visit: Visit, outcome: str, *, records: int, rejected: int) -> None:
    journal = visit.journal
    fetch = FetchLog.objects.create(
        source_id=visit.source,
        operation=journal.operation,
        by=visit.by,
        started_at=visit.now,
        duration_ms=round(visit.duration_s * 1000),
        outcome=outcome,
        http_status=journal.status,
        calls=journal.calls,
        bytes=journal.size_bytes,
        payload_digest=journal.digest,
        rate_wait_ms=round(journal.wait_s * 1000),
        breaker_state=journal.phase.value,
        records=records,
        rejected=rejected,
    )
    FetchCall.objects.bulk_create(_call_row(fetch, position, note) for position, note in enumerate(journal.notes))


def _call_row(fetch: FetchLog, position: int, note: CallNote) -> FetchCall:
    return FetchCall(
        fetch=fetch,
        position=position,
        path=note.path[:PATH_LENGTH],
        outcome=note.outcome,
        http_status=note.status,
        duration_ms=round(note.duration_s * 1000),
        attempts=note.journey.attempts,
        bytes=note.size_bytes,
        payload_digest=note.digest,
        rate_wait_ms=round(note.journey.wait_s * 1000),
        breaker_state=note.journey.phase.value,
    )


def _quarantine(source: str, operation: str, rejected: Sequence[Rejected], *, now: datetime) -> None:
    """Keep each fault once: the same row with the same reason is counted. One statement, in one order of keys."""
    faults = {(digest_of(fault), fault.reason): fault for fault in rejected[:QUARANTINED_MAX]}
    if not faults:
        return
    ordered = sorted(faults)
    vendor = VENDORS.get(source)
    secret = key_of(vendor) if vendor else ""
    parameters: dict[str, Any] = {
        "source": source,
        "operation": operation,
        "now": now,
        "reasons": [reason for _, reason in ordered],
        "keys": [faults[key].key for key in ordered],
        "excerpts": [without_key(faults[key].excerpt, secret) for key in ordered],
        "digests": [digest for digest, _ in ordered],
    }
    with connection.cursor() as cursor:
        cursor.execute(_QUARANTINE, parameters)


def digest_of(fault: Rejected) -> str:
    """Return the fingerprint that a fault is known by: the whole body's, else that of the row's own key or of what was said."""
    return fault.digest or hashlib.sha256((fault.key or fault.excerpt).encode("utf-8", "replace")).hexdigest()
