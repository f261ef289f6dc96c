"""Messages of paced tasks (`tasks.queues.PACED`): each waits for a slot of its source in Redis, not in a worker.

`hold_back` is asked about every such message before it is published. One whose slot is free goes at once, and its header
says that the slot is paid. The others wait in the kit's paced queue until the mover, a loop in each beat, publishes
them when their turn has come. A message of a job waits once a job; one without a job waits once for the same
task and arguments, so what is rung for again while it waits is not done twice.

When Redis is away nothing is published: the broker is away with it, the bell is lost and counted, and the job's row is
rung for again by the caretaker. Messages are never let through without a slot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from celery import current_app
from celery.utils import uuid
from django.db import DatabaseError, InterfaceError
from kombu.exceptions import OperationalError
from prometheus_client import Counter

from apps.core import clock
from apps.core.errors import Invalid
from apps.core.headers import AGAIN, JOB, PRIORITY, SENT_AT_S, SLOT, SOURCE, TENANT
from apps.jobs import selectors as jobs
from apps.jobs.errors import Unfinished
from apps.monitoring.queues import queue_depths
from apps.resilience import Pace, PacedItem, PaceExceeded, PaidSlot, StoreUnavailable, allowing, slot_of_header
from apps.resilience.paced import PRIORITY_MAX, Ahead, Popping
from apps.sources import services as sources
from apps.sources.pacing import pace_of, paced_queue
from apps.tenants.weights import weight_of
from tasks.envelopes import AGAIN_MAX
from tasks.letters import Letter, drop_letter, heirs_of, jobs_of, read_letter

log = structlog.get_logger(__name__)

MOVED = Counter("paced_published_total", "Messages whose slot came and that were published.", ["source"])
UNWANTED = Counter("paced_unwanted_total", "Messages that lost their worth while they waited, and took no slot.", ["source"])
FETCH_WAIT_S_MAX = 2.0  # a call whose slot is further away gives its worker back: the job is put off
LOOK_EVERY_S = 0.05  # so late a message that has just begun to wait may be seen
PUSH_EVERY_S = 10.0
# So many are looked at before slots are taken; more when there is reason to, for to look ahead among many tenants costs.
AHEAD, BATCH = 10, 100
# More messages than this before the workers means that they are the bottleneck: slots would pass before they are used.
JAM_DEPTH, JAM_WAIT_S = 50, 0.02


def hold_back(name: str, kwargs: Mapping[str, Any], options: dict[str, Any]) -> bool:
    """Take the message in, and say so; or leave it to be published now, with its slot in `options["headers"]`.

    A message that names no source that is known, or that Celery itself is to hold back for some seconds, is left alone.
    Raises OperationalError when Redis is away, Invalid for a message too big to wait.
    """
    headers = options.get("headers") or {}
    source = str(headers.get(SOURCE) or kwargs.get(SOURCE) or "")
    pace = pace_of(source)
    if pace is None or options.get("countdown") or options.get("eta"):
        return False
    letter = Letter(
        task=name,
        id=options.get("task_id") or uuid(),
        kwargs=kwargs,
        queue=_queue_name(options.get("queue")),
        headers={key: value for key, value in headers.items() if key not in (SLOT, SENT_AT_S, SOURCE, TENANT, PRIORITY)},
        expires_at_s=_moment_s(options.get("expires")),
    )
    item = _item(letter, source, tenant=str(headers.get(TENANT) or ""), priority=int(headers.get(PRIORITY) or 0))
    try:
        offer = paced_queue().offer(item, pace)
    except StoreUnavailable as error:
        raise OperationalError(str(error)) from error
    if offer.slot is None:
        return True
    options["headers"] = {**letter.headers, SENT_AT_S: headers.get(SENT_AT_S), SLOT: offer.slot.as_header()}
    return False


def send_many(
    task: str, each: Sequence[Mapping[str, Any]], *, source: str, pace: Pace | None = None, queue: str | None = None
) -> int:
    """Send the task once for each set of arguments, with few round trips, and return how many went at once.

    The others wait for slots of the source; what waits already is not sent again. The pace is that of the source
    unless given. Raises Invalid for a source that is not known, OperationalError when Redis is away.
    """
    pace = pace or pace_of(source)
    if pace is None:
        raise Invalid(f"there is no source {source!r}", field="source")
    letters = [Letter(task=task, id=uuid(), kwargs=kwargs, queue=queue) for kwargs in each]
    try:
        offers = paced_queue().offer_many([_item(letter, source) for letter in letters], pace)
    except StoreUnavailable as error:
        raise OperationalError(str(error)) from error
    going = [(letter, offer.slot) for letter, offer in zip(letters, offers, strict=True) if offer.slot is not None]
    _publish(going)
    return len(going)


@contextmanager
def allowance(request: Any) -> Iterator[None]:
    """Let the work of a message use the slot that its header says is paid, and give its worker back rather than wait long.

    Only what comes again is sent away: a job by its row, a message with a slot by waiting for another, ten times at most.
    """
    slot, job_id = slot_of_header(request.get(SLOT)), request.get(JOB)
    if slot is None and not job_id:
        yield
        return
    try:
        with allowing(slot=slot, wait_s_max=FETCH_WAIT_S_MAX):
            yield
    except Exception as error:
        if job_id or not _wants_a_slot(error) or not _wait_again(request, error):
            raise
        log.info("paced_message_waits_again", task=request.task, source=slot.source if slot else "")


def _wants_a_slot(error: Exception) -> bool:
    return isinstance(error, PaceExceeded) or isinstance(error.__cause__, PaceExceeded)


def _wait_again(request: Any, error: Exception) -> bool:
    """Let the message wait for another slot; False when it did so often enough without getting on."""
    times = request.get(AGAIN)
    times = times if type(times) is int else 0
    if times >= AGAIN_MAX:
        return False
    times = times if isinstance(error, Unfinished) else times + 1
    current_app.send_task(request.task, kwargs=request.kwargs, headers={AGAIN: times}, retry=False)
    return True


class Mover:
    """Publishes what waits when its slot has come. Any number of them may run: each takes what no other has taken."""

    def __init__(self) -> None:
        self._pushed_s = float("-inf")
        self._queues: set[str] = set()
        self._ahead: dict[str, int] = defaultdict(lambda: AHEAD)

    def step(self) -> float:
        """Publish what is due and return the seconds until the next look. Raises StoreUnavailable, OperationalError.

        What was taken and could not be published is in flight in the store, and comes back when its lease ends. Raises
        DatabaseError when jobs wait and their rows cannot be asked: workers could not begin them either.
        """
        self._push()
        due = paced_queue().due()
        if not due.sources:
            return LOOK_EVERY_S if due.next_s is None else min(due.next_s, LOOK_EVERY_S)
        if self._is_jammed():
            return JAM_WAIT_S
        waits_s = [self._move(source) for source in due.sources]
        return min([LOOK_EVERY_S, *(wait_s for wait_s in waits_s if wait_s is not None)])

    def _move(self, source: str) -> float | None:
        """Publish what a source has slots for, and return when to look at it again. No slot goes to what nobody wants."""
        looked = paced_queue().peek(source, self._ahead[source])
        _tell_put_back(source, looked.reclaimed)
        if _pass_on_unwanted(source, looked.ahead):
            self._ahead[source] = BATCH
            return 0.0
        popping = paced_queue().pop(source, len(looked.ahead))
        _tell_put_back(source, popping.reclaimed)
        self._ahead[source] = BATCH if len(popping.popped) >= AHEAD else AHEAD
        if popping.popped:
            self._carry(source, popping)
        return popping.next_s

    def _carry(self, source: str, popping: Popping) -> None:
        """Publish what has its slot now; what turns out to be no message is dropped, and holds up no other."""
        read = [(found, read_letter(found.body)) for found in popping.popped]
        letters = [(letter, found.slot) for found, letter in read if isinstance(letter, Letter)]
        _publish(letters)
        paced_queue().landed(source, [found.id for found in popping.popped])
        for found, reason in read:
            if not isinstance(reason, Letter):
                drop_letter(source, found.body, reason)
        self._queues = {letter.queue or _default_queue(letter.task) for letter, _ in letters}
        MOVED.labels(source=source).inc(len(letters))

    def _is_jammed(self) -> bool:
        """Whether the workers are behind with what came last: more of it would only outlive its slots."""
        if not self._queues:
            return False
        depths = queue_depths()
        return max(depths.get(queue, 0) for queue in self._queues) > JAM_DEPTH

    def _push(self) -> None:
        """Tell the store again, now and then, what staff have set: it may have come back empty, or things wait already."""
        if clock.monotonic_s() - self._pushed_s < PUSH_EVERY_S:
            return
        self._pushed_s = clock.monotonic_s()
        self._push_weights()
        try:
            sources.push_paces()
        except (DatabaseError, InterfaceError) as error:
            log.warning("paces_not_pushed", error=type(error).__name__)

    def _push_weights(self) -> None:
        """Give the tenants that wait the weights they have now."""
        of_sources: dict[str, dict[str, int]] = defaultdict(dict)
        for line in paced_queue().waiting():
            of_sources[line.source][line.tenant] = weight_of(line.tenant)
        for source, weights in of_sources.items():
            paced_queue().weigh(source, weights)


def move_step() -> float:
    """Let this process's mover take one step; see `Mover.step`."""
    return _mover.step()


_mover = Mover()


def _pass_on_unwanted(source: str, ahead: Sequence[Ahead]) -> int:
    """Take out of the line what is no message or wakes nobody, or give its place to an heir; return how many it was."""
    letters = {found.id: read_letter(found.body) for found in ahead}
    job_ids = jobs_of(list(letters.values()))
    heirs = heirs_of(letters, jobs.whom_to_wake(job_ids=job_ids) if job_ids else {})
    gone = paced_queue().pass_on(source, heirs)
    for found in ahead:
        reason = letters[found.id]
        if found.id in gone and not isinstance(reason, Letter):
            drop_letter(source, found.body, reason)
    UNWANTED.labels(source=source).inc(len(gone))
    return len(heirs)


def _tell_put_back(source: str, count: int) -> None:
    if count:
        log.warning("paced_messages_put_back", source=source, count=count)


def _publish(letters: Sequence[tuple[Letter, PaidSlot]]) -> None:
    """Send the letters in one batch over one connection, but for those that have expired."""
    fresh = [(letter, slot) for letter, slot in letters if not letter.has_expired]
    if not fresh:
        return
    with current_app.producer_or_acquire() as producer, producer.batch():
        for letter, slot in fresh:
            letter.publish(slot, producer)


def _item(letter: Letter, source: str, *, tenant: str = "", priority: int = 0) -> PacedItem:
    place = max(-PRIORITY_MAX, min(PRIORITY_MAX, priority))
    try:
        return PacedItem(
            id=letter.name, source=source, body=letter.as_text(), tenant=tenant, priority=place, weight=weight_of(tenant)
        )
    except ValueError as error:
        raise Invalid(f"{letter.task} cannot wait for a slot: {error}", field="kwargs") from error


def _queue_name(queue: Any) -> str | None:
    return None if queue is None else str(getattr(queue, "name", queue))


def _default_queue(task: str) -> str:
    return str(current_app.amqp.router.route({}, task)["queue"].name)


def _moment_s(expires: Any) -> float | None:
    """Return when a message expires, in seconds since 1970, however Celery was told."""
    if expires is None:
        return None
    if isinstance(expires, datetime):
        return (expires if expires.tzinfo else expires.replace(tzinfo=UTC)).timestamp()
    return clock.now().timestamp() + float(expires)
