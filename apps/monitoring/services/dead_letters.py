"""Work that was parked: put aside, sent again, or let go. Each deed is audited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from celery import current_app
from kombu.exceptions import OperationalError

from apps.audit import services as audit
from apps.core.db import durable, transaction
from apps.core.masking import masked_text
from apps.monitoring.errors import BrokerAway, DeadLetterEnded, DeadLetterNotFound
from apps.monitoring.models import DeadLetter


@transaction
def park(*, task: str, kwargs: Mapping[str, Any], reason: str, attempts: int, by: str, now: datetime, trace: str = "") -> str:
    """Put work aside that failed too often and return the letter's id. `kwargs` are plain JSON: ids, never secrets."""
    letter = DeadLetter.objects.create(
        task=task,
        kwargs=dict(kwargs),
        reason=masked_text(reason)[:300],
        trace=masked_text(trace),
        attempts=attempts,
        state="parked",
        parked_at=now,
    )
    audit.record(
        action="dead_letter.parked",
        subject=letter.id,
        by=by,
        now=now,
        detail={"task": task, "attempts": attempts, "reason": letter.reason},
    )
    return letter.id


@durable
def replay(*, dead_letter_id: str, by: str, now: datetime) -> None:
    """Send the work again and mark the letter. The message goes first: a crash between the two sends it twice, which
    tasks bear, and never loses it. Raises DeadLetterNotFound, DeadLetterEnded, BrokerAway.
    """
    letter = _parked_letter(dead_letter_id)
    try:
        current_app.send_task(letter.task, kwargs=letter.kwargs, retry=False)
    except (OperationalError, OSError) as error:
        raise BrokerAway(f"{dead_letter_id} stays parked: {type(error).__name__}") from error
    _end(dead_letter_id=dead_letter_id, state="replayed", by=by, now=now)


@transaction
def discard(*, dead_letter_id: str, by: str, now: datetime) -> None:
    """Let the work go; the letter stays readable. Raises DeadLetterNotFound, DeadLetterEnded."""
    _parked_letter(dead_letter_id)
    _end(dead_letter_id=dead_letter_id, state="discarded", by=by, now=now)


@transaction
def _end(*, dead_letter_id: str, state: str, by: str, now: datetime) -> None:
    # Conditional, so that only the first of two callers succeeds.
    changed = DeadLetter.objects.filter(id=dead_letter_id, state="parked").update(state=state, ended_at=now, ended_by=by)
    if not changed:
        raise DeadLetterEnded(f"{dead_letter_id} has ended already")
    audit.record(action=f"dead_letter.{state}", subject=dead_letter_id, by=by, now=now, detail={})


def _parked_letter(dead_letter_id: str) -> DeadLetter:
    letter = DeadLetter.objects.filter(id=dead_letter_id).first()
    if letter is None:
        raise DeadLetterNotFound(f"no dead letter {dead_letter_id}")
    if letter.state != "parked":
        raise DeadLetterEnded(f"{dead_letter_id} was {letter.state} already")
    return letter
