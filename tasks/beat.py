"""Celery's beat on slots: any number of beats read the same definitions, and each slot becomes one job.

Every look is one cheap statement (the database's clock and the mark that definitions changed); only when a slot has
come does it write. The time is the database's, so beats on hosts with different clocks agree.
"""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from celery.beat import Scheduler
from django.conf import settings
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, close_old_connections, connections
from prometheus_client import Counter

from apps.core.errors import DeskError
from apps.jobs import services as jobs
from apps.jobs.definitions import Definition, Definitions, read_clock
from apps.jobs.misfires import Taken
from apps.jobs.slots import next_slots
from tasks.base import ACTOR
from tasks.jobs import reconcile_step
from tasks.loops import Loop, stop_together
from tasks.pacing import move_step

log = structlog.get_logger(__name__)

SLOTS = Counter("schedule_slots_total", "Slots of schedules that this beat took, by what became of them.", ["outcome"])
NEVER = datetime.max.replace(tzinfo=UTC)
RELOAD_EVERY = timedelta(seconds=60)  # edits are seen at the next look; this catches what left no mark
CLOCK_STEP = timedelta(seconds=5)
LOOK_AGAIN_S = 0.1  # another beat held the row of a schedule, or a job that ends did
LOOK_LEAST_S, LOOK_MOST_S = 0.1, 1.0  # slots that come within a tenth of a second are taken together
FORGET_EVERY_S = 60.0


class SlotScheduler(Scheduler):
    """Takes the slots that have come, and keeps the loops of the queue turning."""

    def __init__(self, app: Any, **options: Any) -> None:
        self._definitions: dict[str, Definition] = {}
        self._due_at: dict[str, datetime] = {}
        self._changed_at: datetime | None = None
        self._loaded_at: datetime | None = None
        self._told: Definitions = Definitions()
        self._signal = 0  # that told beat to end
        self._loops = (
            Loop("caretaker", reconcile_step),
            Loop("mover", move_step),
            Loop("forgetter", self._forget_step),
        )
        super().__init__(app, **options)

    def setup_schedule(self) -> None:
        """Start the loops; Celery calls this for the scheduler that ticks, not for the one that prints the banner."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._note_signal)
            signal.signal(signal.SIGINT, self._note_signal)
        for loop in self._loops:
            loop.start()

    def tick(self, *_: Any, **__: Any) -> float:
        """Take what is due and return the seconds until the next look. Whatever fails, beat goes on.

        Raises SystemExit once a signal came: Celery then ends its loop and calls `close`.
        """
        if self._signal:
            log.info("beat_ends", signal=signal.Signals(self._signal).name)
            raise SystemExit
        try:
            close_old_connections()
            return self._look()
        except (OperationalError, InterfaceError) as error:
            log.warning("beat_waits_for_the_database", error=type(error).__name__)
        except Exception as error:
            log.exception("beat_stumbled", error=type(error).__name__)
        connections.close_all()
        return self._most_s()

    def close(self) -> None:
        """End the loops."""
        stop_together(self._loops)
        super().close()

    def _note_signal(self, number: int, _: Any) -> None:
        """Remember the signal for the next tick; a second one ends the process at once, which costs no slot.

        Celery's own handler ends the loops and raises wherever the process happens to be: code that catches everything
        there would leave a beat that ticks on without its loops.
        """
        self._signal = number
        signal.signal(number, signal.SIG_DFL)

    def _look(self) -> float:
        now, changed_at = read_clock()
        if self._is_stale(now, changed_at):
            self._load(now)
            self._loaded_at, self._changed_at = now, changed_at
        due = [self._definitions[name] for name, at in self._due_at.items() if at <= now]
        if not due:
            return self._wait_s(now)
        taken = self._take(due, now)
        for definition in due:
            if definition.name in taken.looked_at:
                self._due_at[definition.name] = _next_slot(definition, now)
        return self._wait_s(now) if len(taken.looked_at) == len(due) else LOOK_AGAIN_S

    def _is_stale(self, now: datetime, changed_at: datetime | None) -> bool:
        """Return whether to read the definitions: at first, when they changed, now and then, and after a clock's step."""
        if self._loaded_at is None or changed_at != self._changed_at:
            return True
        return not -CLOCK_STEP <= now - self._loaded_at <= RELOAD_EVERY

    def _load(self, now: datetime) -> None:
        """Read the definitions; each is looked at once, at this very tick."""
        found = jobs.adopt_schedules(now=now)
        self._tell(found)
        self._definitions = {definition.name: definition for definition in found.usable}
        self._due_at = dict.fromkeys(self._definitions, now)

    def _tell(self, found: Definitions) -> None:
        """Say once why a schedule cannot run."""
        for unusable in set(found.unusable) - set(self._told.unusable):
            log.error("schedule_cannot_run", schedule=unusable.name, reason=unusable.reason)
        self._told = found

    def _take(self, due: list[Definition], now: datetime) -> Taken:
        """Take the slots in one transaction; when one schedule spoils it, each in its own."""
        try:
            taken = jobs.take_slots(definitions=due, now=now, by=ACTOR)
        except (DeskError, DataError, IntegrityError) as error:
            if len(due) == 1:
                log.exception("schedule_failed", schedule=due[0].name, error=type(error).__name__)
                return Taken(looked_at=frozenset({due[0].name}))
            looks = [self._take([definition], now) for definition in due]
            return Taken(looked_at=frozenset().union(*(look.looked_at for look in looks)))
        SLOTS.labels(outcome="made").inc(taken.made)
        SLOTS.labels(outcome="let go").inc(taken.let_go)
        return taken

    def _wait_s(self, now: datetime) -> float:
        next_at = min(self._due_at.values(), default=NEVER)
        return max(LOOK_LEAST_S, min(self._most_s(), (next_at - now).total_seconds()))

    def _most_s(self) -> float:
        return float(self.max_interval or LOOK_MOST_S)

    def _forget_step(self) -> float:
        """Let go of old ticks; another round follows at once while there are more."""
        now, _ = read_clock()
        gone = jobs.forget_ticks(definitions=list(self._definitions.values()), keep_days=settings.JOB_KEEP_DAYS, now=now)
        return LOOK_AGAIN_S if gone else FORGET_EVERY_S


def _next_slot(definition: Definition, now: datetime) -> datetime:
    slot = next(iter(next_slots(definition.rhythm, definition.opened(now), 1)), NEVER)
    return slot if slot == definition.closed(slot) else NEVER
