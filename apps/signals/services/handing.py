"""Handing signals to those who trade, and taking back what they could not use."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet

from apps.audit import services as audit
from apps.core.db import transaction, transaction_required
from apps.signals.errors import SignalNotFound, SignalNotInState
from apps.signals.models import Signal
from apps.signals.selectors import as_view
from apps.signals.types import SignalView

USE = timedelta(minutes=10)  # a main signal older than this was about another price
USE_FLOOR = timedelta(seconds=10)  # in a fast world: ten ticks of our own clocks
REASON_LENGTH_MAX = 300
EXPIRED_LISTED_MAX = 100  # ids named in one audit event


@transaction_required
def claim_new(*, limit: int, now: datetime) -> tuple[SignalView, ...]:
    """Return at most `limit` waiting signals of markets still open, locked for the caller's transaction.

    Rows that somebody else holds are skipped. A signal put back at `now` or later waits for the next tick, and those
    tried least come first, so that one that cannot be used never blocks the others.
    """
    waiting = Signal.objects.filter(state="new", made_at__lte=now, market__state="open", market__closes_at__gt=now)
    rested = waiting.filter(Q(decided_at__isnull=True) | Q(decided_at__lt=now))
    rows = rested.select_for_update(skip_locked=True, of=("self",)).order_by("attempts", "made_at", "id")
    return tuple(as_view(row) for row in rows[:limit])


@transaction_required
def mark_taken(*, signal_id: str, order_id: str, now: datetime) -> None:
    """Note that `order_id` was made of a new signal. Raises SignalNotFound and SignalNotInState."""
    _move(signal_id, from_states=("new",), state="taken", order_id=order_id, reason="", decided_at=now)


@transaction_required
def mark_denied(*, signal_id: str, reason: str, now: datetime) -> None:
    """Note that risk said no to a new signal, and why. Raises SignalNotFound and SignalNotInState."""
    _move(signal_id, from_states=("new",), state="denied", reason=reason[:REASON_LENGTH_MAX], decided_at=now)


@transaction_required
def put_back(*, signal_id: str, reason: str, now: datetime) -> bool:
    """Let a signal be tried again: its order never reached the venue, or the refusal may pass.

    It is new again with one more attempt while its market is open, and expires otherwise. Returns whether it is new.
    Raises SignalNotFound and SignalNotInState.
    """
    is_open = Signal.objects.filter(id=signal_id, market__state="open", market__closes_at__gt=now).exists()
    state = "new" if is_open else "expired"
    _move(
        signal_id,
        from_states=("new", "taken"),
        state=state,
        order_id="",
        reason=reason[:REASON_LENGTH_MAX],
        attempts=F("attempts") + 1,
        decided_at=now,
    )
    return is_open


def _move(signal_id: str, *, from_states: tuple[str, ...], **changes: object) -> None:
    """Change a signal by one conditional update, so that two who saw the same state cannot both go on."""
    if Signal.objects.filter(id=signal_id, state__in=from_states).update(**changes) == 1:
        return
    present = Signal.objects.filter(id=signal_id).values_list("state", flat=True).first()
    if present is None:
        raise SignalNotFound(signal_id)
    raise SignalNotInState(f"{signal_id} is {present}, not {' or '.join(from_states)}")


@transaction
def expire_stale(*, now: datetime, by: str) -> int:
    """Expire waiting signals whose market has closed, and main ones older than their use; return how many.

    Shadow signals wait for as long as their market is open: dropping the hard ones would bias the sample.
    """
    waiting = Signal.objects.filter(state="new")
    closed = _expire(waiting.filter(~Q(market__state="open") | Q(market__closes_at__lte=now)), "market closed", now)
    old_before = now - max(USE / float(settings.SCHEDULE_SPEED), USE_FLOOR)
    old = _expire(waiting.filter(portfolio_kind="main", made_at__lt=old_before), "older than its use", now)
    expired = closed + old
    if expired:
        detail = {"count": len(expired), "market_closed": len(closed), "older": len(old), "signals": expired[:EXPIRED_LISTED_MAX]}
        audit.record(action="signals.expired", subject=f"signals:{expired[0]}", by=by, now=now, detail=detail)
    return len(expired)


def _expire(rows: QuerySet[Signal], reason: str, now: datetime) -> list[str]:
    ids = list(rows.select_for_update(skip_locked=True, of=("self",)).order_by("id").values_list("id", flat=True))
    Signal.objects.filter(id__in=ids).update(state="expired", reason=reason, decided_at=now)
    return ids
