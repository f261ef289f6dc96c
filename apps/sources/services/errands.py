"""Running errands: work that asks a source more than once, one process at a time, done in parts where a worker does it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import DatabaseError, InterfaceError

from apps.core.db import durable, transaction
from apps.core.sections import only_one_asking
from apps.jobs.errors import Unfinished
from apps.resilience import PaceExceeded, SlotAhead, going_on
from apps.sources.errands import Errand, Part, present_errand, underway
from apps.sources.errors import QuotaSpent, VendorAway
from apps.sources.models import ErrandPart

T = TypeVar("T")
FORGOTTEN_AFTER = timedelta(minutes=15)  # without going on: what was answered before is of another time
COME_AGAIN_S = 5.0


@durable
def run_errand(*, name: str, work: Callable[[], T], idle: T, now: datetime) -> T:
    """Do `work`, which asks a source, unless another process is at the errand of this name: then return `idle`.

    In a worker the work ends early when a call of it has to wait for its slot: its answers are kept, Unfinished is raised,
    and whoever runs the errand next goes on there. Work that was broken off while nobody answered goes on there too; what
    failed otherwise, or rested for FORGOTTEN_AFTER, begins anew. Raises VendorAway when not even the first call of this
    run got a slot, and when an errand in parts is held by another: its holder may have died.
    """
    with only_one_asking(name) as is_ours, going_on() as is_in_parts:
        if is_ours:
            return _run(Errand(name, _parts(name, now=now)), work, now=now) if is_in_parts else work()
        if is_in_parts and _parts(name, now=now):
            raise VendorAway(f"{name} is held by another process", retry_after_s=COME_AGAIN_S)
    return idle


@durable
def once(*, what: str, decide: Callable[[], T]) -> T:
    """Return what an earlier part of the present errand decided about `what`, or decide it now.

    It must be what JSON can hold. Deciding may ask the source; the answers that led to it are not asked for again, nor kept.
    """
    errand = present_errand()
    if errand is None:
        return decide()
    known: T | None = errand.decided(what)
    if known is None:
        known = decide()
        errand.keep_decision(what, known)
    return known


def _run(errand: Errand, work: Callable[[], T], *, now: datetime) -> T:
    is_kept = bool(errand.parts)
    try:
        with underway(errand):
            result = work()
    except SlotAhead as ahead:
        if not errand.fresh:
            raise VendorAway(str(ahead), retry_after_s=ahead.wait_s) from _as_refusal(ahead)
        _keep(errand, now=now)
        raise Unfinished(str(ahead)) from _as_refusal(ahead)
    except VendorAway as error:
        if isinstance(error, QuotaSpent):
            _forget(errand.name)  # the answer that says so is among those kept
        elif errand.fresh:
            _keep(errand, now=now)
        raise
    except (DatabaseError, InterfaceError):
        raise  # says nothing of the errand
    except Exception:
        _forget(errand.name)
        raise
    if is_kept:
        _forget(errand.name)
    return result


def _as_refusal(ahead: SlotAhead) -> PaceExceeded:
    """Return it as the kit's refusal, by which a message without a row is known to want another slot."""
    return PaceExceeded(str(ahead), retry_after_s=ahead.wait_s)


def _parts(name: str, *, now: datetime) -> dict[str, Part]:
    rows = list(ErrandPart.objects.filter(errand=name))
    if rows and max(row.kept_at for row in rows) < now - FORGOTTEN_AFTER:
        _forget(name)
        return {}
    return {row.name: Part(told=row.told, body=bytes(row.body)) for row in rows}


@transaction
def _keep(errand: Errand, *, now: datetime) -> None:
    """Write down what this run brought, and drop what is needed no more."""
    kept = ErrandPart.objects.filter(errand=errand.name)
    if errand.has_let_go:
        kept.exclude(name__in=errand.parts.keys() - errand.fresh).delete()
    rows = [
        ErrandPart(errand=errand.name, name=name, told=part.told, body=part.body, kept_at=now)
        for name, part in errand.parts.items()
        if name in errand.fresh
    ]
    ErrandPart.objects.bulk_create(rows, ignore_conflicts=True)


@transaction
def _forget(name: str) -> None:
    ErrandPart.objects.filter(errand=name).delete()
