"""Doubting an answer after the fetch: what only a comparison with stored rows can show."""

from __future__ import annotations

from datetime import datetime

import structlog

from apps.core.db import transaction
from apps.sources import visits
from apps.sources.registry import vendor_of
from apps.sources.services.keeping import ensure_sources
from apps.sources.types import Rejected

log = structlog.get_logger(__name__)


@transaction
def doubt(*, source: str, operation: str, reason: str, excerpt: str, key: str, now: datetime, by: str) -> None:
    """Put an answer into the quarantine that contradicts what is stored, and show it as the source's last error.

    `key` says what the answer is about; the same doubt about it again is counted, not kept twice. Raises UnknownSource.
    """
    vendor = vendor_of(source)
    ensure_sources(now=now, by=by)
    visits.note_doubt(vendor.slug, operation, Rejected(reason=reason, excerpt=excerpt, key=key), now=now)
    log.warning("answer_doubted", source=source, operation=operation, key=key, reason=reason, by=by)
