"""Keeping the sources themselves: their rows, their being on or paused, their health."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from apps.audit.services import record
from apps.core import clock
from apps.core.db import durable, transaction
from apps.core.errors import Conflict, DeskError, Invalid
from apps.sources import http, registry, visits
from apps.sources.calling import Journal
from apps.sources.errors import NotAtVendor, UnknownSource
from apps.sources.models import Source
from apps.sources.ports import CheckResult, Gathered, Vendor
from apps.sources.visits import Visit

REASON_LENGTH = SAID_LENGTH = 300


@transaction
def ensure_sources(*, by: str, now: datetime) -> int:
    """Make a row for every registered vendor that has none, and return how many were made.

    A vendor without what it needs (key, address) is off and says why; it comes on by itself once it has it.
    """
    known = dict(Source.objects.values_list("slug", "state"))
    missing = [vendor for slug, vendor in registry.VENDORS.items() if slug not in known]
    rows = [_new_row(vendor, now) for vendor in missing]
    Source.objects.bulk_create(rows, ignore_conflicts=True)
    for vendor in registry.VENDORS.values():
        if known.get(vendor.slug) in ("on", "off"):
            _switch(vendor, was=known[vendor.slug], by=by, now=now)
    if missing:
        slugs = [vendor.slug for vendor in missing]
        record(action="sources.added", subject="sources", by=by, now=now, detail={"slugs": slugs})
    return len(missing)


@transaction
def pause(*, source: str, reason: str, by: str, now: datetime) -> None:
    """Stop fetching from a source until it is resumed. Pausing a paused one changes its reason.

    Raises UnknownSource, and Invalid without a reason.
    """
    if not reason.strip() or len(reason) > REASON_LENGTH:
        raise Invalid(f"a reason of at most {REASON_LENGTH} characters is needed", field="reason")
    _change(source, "paused", reason.strip())
    record(action="source.paused", subject=source, by=by, now=now, detail={"reason": reason.strip()})


@transaction
def resume(*, source: str, by: str, now: datetime) -> str:
    """Lift a source's pause, and return why it is not fetched all the same: it lacks what it needs; empty: it is fetched.

    Raises UnknownSource, and Conflict when it was not paused but lacks what it needs (its row says what).
    """
    reason = registry.why_off(registry.vendor_of(source))
    if reason and not Source.objects.filter(slug=source, state="paused").exists():
        raise Conflict(f"{source} cannot be resumed: it {reason}")
    _change(source, "off" if reason else "on", reason)
    record(action="source.resumed", subject=source, by=by, now=now, detail={"off": reason} if reason else {})
    return reason


@durable
def reset_breaker(*, source: str, by: str, now: datetime) -> None:
    """Close a source's breaker by hand and let its pace start afresh. Raises UnknownSource."""
    vendor = registry.vendor_of(source)
    http.reset(vendor.slug)
    _record_reset(source=source, by=by, now=now)


@durable
def force_refresh(*, source: str, by: str, now: datetime) -> int:
    """Forget every kept answer of a source, so that the next question goes out, and return how many there were.

    Raises UnknownSource.
    """
    vendor = registry.vendor_of(source)
    forgotten = http.forget_kept(vendor.slug)
    _record_forgotten(source=source, forgotten=forgotten, by=by, now=now)
    return forgotten


@durable
def self_check(*, source: str, by: str, now: datetime) -> CheckResult:
    """Ask the live vendor one small question, also when the source is paused; one that is off is not asked.

    Raises UnknownSource.
    """
    vendor = registry.vendor_of(source)
    reason = registry.why_off(vendor)
    if reason:
        return CheckResult(is_good=False, message=f"off: it {reason}")
    ensure_sources(by=by, now=now)
    journal = Journal(operation="check")
    started_s = clock.monotonic_s()
    failure: DeskError | None = None
    try:
        result = http.ask(replace(vendor, cache=None), journal, vendor.check)  # what is kept says nothing about now
    except DeskError as error:
        failure = error
        result = CheckResult(is_good=False, message=f"{error.code}: {error}")
    duration_s = clock.monotonic_s() - started_s
    visit = Visit(source=source, journal=journal, duration_s=duration_s, now=now, by=by)
    if failure is None and not result.is_good:
        failure = NotAtVendor(f"{source} answered, and nothing in it was good: {result.message}")
    _record_checked(visit, result, failure)
    return result


@transaction
def _record_checked(visit: Visit, result: CheckResult, failure: DeskError | None) -> None:
    """Write down a check: a good one makes the source fresh, since the vendor was asked and was understood."""
    if failure is None:
        visits.note_success(visit, Gathered())
    else:
        visits.note_failure(visit, failure)
    said = result.message.replace("\x00", "")[:SAID_LENGTH]
    record(
        action="source.checked",
        subject=visit.source,
        by=visit.by,
        now=visit.now,
        detail={"is_good": result.is_good, "said": said},
    )


@transaction
def _record_reset(*, source: str, by: str, now: datetime) -> None:
    record(action="source.breaker_reset", subject=source, by=by, now=now, detail={})


@transaction
def _record_forgotten(*, source: str, forgotten: int, by: str, now: datetime) -> None:
    record(action="source.refresh_forced", subject=source, by=by, now=now, detail={"forgotten": forgotten})


def _new_row(vendor: Vendor, now: datetime) -> Source:
    reason = registry.why_off(vendor)
    state = "off" if reason else "on"
    return Source(slug=vendor.slug, name=vendor.name, state=state, state_reason=reason, created_at=now)


def _switch(vendor: Vendor, *, was: str, by: str, now: datetime) -> None:
    """Bring a source's row in step with settings; a paused one stays paused."""
    reason = registry.why_off(vendor)
    state = "off" if reason else "on"
    if Source.objects.filter(slug=vendor.slug, state=was).exclude(state_reason=reason).update(state=state, state_reason=reason):
        record(action="source.switched", subject=vendor.slug, by=by, now=now, detail={"state": state, "reason": reason})


def _change(slug: str, state: str, reason: str) -> None:
    if not Source.objects.filter(slug=slug).update(state=state, state_reason=reason):
        raise UnknownSource(f"there is no source {slug!r}")
