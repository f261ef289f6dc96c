"""Setting the pace of a source by hand. The row says what is wanted; the shared store, read with every slot, obeys."""

from __future__ import annotations

from datetime import datetime

from apps.audit.services import record
from apps.core.db import durable, transaction
from apps.core.errors import Invalid
from apps.sources import http, registry
from apps.sources.errors import UnknownSource
from apps.sources.models import Source


@durable
def set_pace(*, source: str, per_minute: int | None, by: str, now: datetime) -> None:
    """Let a source be called so often a minute at most, in all processes from their next slot on; None: as published.

    What the limiter has learned goes further: it may be slower than this, never faster. Raises UnknownSource, and
    Invalid for less than 1 and for more than is published.
    """
    published = registry.quota_of(registry.vendor_of(source))
    if per_minute is not None and not 1 <= per_minute <= published:
        raise Invalid(f"the pace of {source} goes from 1 to {published} calls a minute", field="per_minute")
    _write_pace(source, per_minute, by=by, now=now)
    http.set_paces({source: per_minute})


@durable
def push_paces() -> None:
    """Tell the shared store again which paces were set: it may have come back empty."""
    paces = dict(Source.objects.values_list("slug", "pace_per_minute"))
    http.set_paces({slug: paces[slug] for slug in registry.slugs() if slug in paces})


@transaction
def _write_pace(slug: str, per_minute: int | None, *, by: str, now: datetime) -> None:
    row = Source.objects.select_for_update().filter(slug=slug).first()
    if row is None:
        raise UnknownSource(f"there is no source {slug!r}")
    before, row.pace_per_minute = row.pace_per_minute, per_minute
    row.save(update_fields=("pace_per_minute",))
    record(action="source.pace_set", subject=slug, by=by, now=now, detail={"per_minute": per_minute, "before": before})
