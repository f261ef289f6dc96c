"""The layers around every call, in their one order:

    stale cache → singleflight → retry → breaker → limiter → bulkhead and deadline → transport

The cache is outermost (`keeping.py`), so that a kept answer costs nothing, with singleflight in it, so that one question
is one call. Retry comes next: each repeat asks the breaker again and takes its own slot of the limiter. The breaker
stands before the limiter, so that a call that may not go takes no slot. The bulkhead is innermost: who waits for a slot
holds no place among the connections. (A call that then stands in line for a place starts later than its slot, by at
most the bulkhead's `wait_s`.) The deadline is one for the whole call: waits, repeats and redirects too.

A healthy call makes one round trip to the shared store, for its slot; in a batch, all calls together make one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from apps.resilience import retry
from apps.resilience.breaker import Verdict
from apps.resilience.clock import Clock, chance
from apps.resilience.errors import BulkheadFull, HttpStatus, KitError
from apps.resilience.exchange import Answer, Journey, Request, Response
from apps.resilience.hooks import AttemptFinished, BulkheadWaited, Hook, RetryScheduled, tell
from apps.resilience.lanes import Lane, Lanes
from apps.resilience.limiter import Feedback, Reservation
from apps.resilience.limiters import Limiter
from apps.resilience.policy import Policy
from apps.resilience.ports import Store
from apps.resilience.slots import Slot
from apps.resilience.verdicts import feedback_on, verdict_on


class Transport(Protocol):
    """Makes one attempt over the wire. Raises the kit's errors and nothing else."""

    async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
        """Send the request and read its answer within `left_s` seconds."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(slots=True)
class _Call:
    """One call on its way through the layers; `sent_s` is when its present attempt went to the transport."""

    request: Request
    lane: Lane
    ends_s: float
    slot: Slot | None
    journey: Journey
    sent_s: float = 0.0


class Layers:
    """Sends requests through the layers from retry inwards; one for a client."""

    def __init__(
        self,
        *,
        transport: Transport,
        store: Store,
        clock: Clock,
        hooks: Sequence[Hook] = (),
        draw: Callable[[], float] = chance,
    ) -> None:
        self.lanes = Lanes(store, clock, hooks)
        self._transport = transport
        self._hooks = hooks
        self._draw = draw
        self._tick = clock.monotonic_s
        self._sleep_s = clock.sleep_s

    async def send(self, request: Request, policy: Policy) -> Response:
        """Send the request, repeating it as the policy allows. Raises the last attempt's KitError with its journey."""
        return await self.travel(request, self.lanes.of(policy), ends_s=self._tick() + policy.deadline_s)

    async def travel(self, request: Request, lane: Lane, *, ends_s: float, slot: Slot | None = None) -> Response:
        """Send on a lane until `ends_s` at the latest; `slot` is the limiter's leave for the first attempt."""
        lane.budget.earn()
        call = _Call(request, lane, ends_s, slot, Journey())
        journey, started_s = call.journey, self._tick()
        while True:
            journey.attempts += 1
            try:
                answer = await (self._told(call) if self._hooks else self._guarded(call))
            except KitError as error:
                error.journey = journey
                await self._before_repeat(error, call)
                continue
            journey.redirects = answer.redirects
            return Response(
                status=answer.status,
                headers=answer.headers,
                body=answer.body,
                received_at_s=answer.received_at_s,
                duration_s=self._tick() - started_s,
                journey=journey,
            )

    async def _before_repeat(self, error: KitError, call: _Call) -> None:
        """Wait for the next attempt, or raise the error when there must be none."""
        policy, journey, request = call.lane.policy, call.journey, call.request
        call.slot = None
        delay_s = retry.delay_before_retry(error, attempt=journey.attempts, rule=policy.retry, draw=self._draw)
        if delay_s is None or delay_s >= call.ends_s - self._tick() or not request.repeatable:
            raise error
        if not call.lane.budget.spend():
            raise error
        scheduled = RetryScheduled(
            key=policy.key, operation=request.operation, attempt=journey.attempts, delay_s=delay_s, reason=error.code
        )
        tell(self._hooks, scheduled)
        await self._sleep_s(delay_s)

    async def _told(self, call: _Call) -> Answer:
        """Make one attempt and tell the hooks how it went."""
        journey = call.journey
        started_s, waited_s = self._tick(), journey.wait_s
        outcome, status, size_bytes = "broken-off", None, 0
        try:
            answer = await self._guarded(call)
        except KitError as error:
            outcome = error.code
            status = error.status if isinstance(error, HttpStatus) else None
            raise
        else:
            outcome, status, size_bytes = "ok", answer.status, len(answer.body)
            return answer
        finally:
            finished = AttemptFinished(
                key=call.lane.policy.key,
                operation=call.request.operation,
                attempt=journey.attempts,
                outcome=outcome,
                status=status,
                duration_s=self._tick() - started_s,
                wait_s=journey.wait_s - waited_s,
                size_bytes=size_bytes,
            )
            tell(self._hooks, finished)

    async def _guarded(self, call: _Call) -> Answer:
        """Ask the breaker first and report to it afterwards, also when the attempt is broken off."""
        breaker = call.lane.breaker or self.lanes.breaker_of(call.lane, call.request)
        try:
            admission = breaker.try_admit() or await breaker.admit()
        finally:
            call.journey.phase = breaker.phase  # a refused call's journey says it too
        call.sent_s = self._tick()
        verdict = Verdict.NEUTRAL
        try:
            limiter = call.lane.limiter
            answer = await (self._placed(call) if limiter is None else self._paced(call, limiter))
        except KitError as error:
            verdict = verdict_on(error)
            raise
        else:
            verdict = Verdict.SUCCESS
            return answer
        finally:
            duration_s = self._tick() - call.sent_s
            if not breaker.note(admission, verdict, duration_s):
                await breaker.report(admission, verdict, duration_s)

    async def _paced(self, call: _Call, limiter: Limiter) -> Answer:
        """Wait for a slot, send, and tell the limiter what the answer says about our pace."""
        reservation = await self._slot(call, limiter)
        try:
            answer = await self._placed(call)
        except KitError as error:
            await self._tell_limiter(call, limiter, reservation, error)
            raise
        if not limiter.note_success(reservation):
            await limiter.flush()
        return answer

    async def _slot(self, call: _Call, limiter: Limiter) -> Reservation:
        """Wait for the slot that the call has, or take one; what was reserved before the other side refused is worth nothing."""
        began_s, slot = self._tick(), call.slot
        if slot is not None:
            if slot.at_s > began_s:
                await self._sleep_s(slot.at_s - began_s)
                call.journey.wait_s += self._tick() - began_s
            if not slot.booking.is_void and not limiter.is_paused():
                return slot.reservation
        began_s = self._tick()
        try:
            is_repeat = call.journey.attempts > 1
            reservation = await limiter.acquire(wait_s_max=max(0.0, call.ends_s - began_s), is_repeat=is_repeat)
        finally:
            call.journey.wait_s += self._tick() - began_s
        return reservation

    async def _tell_limiter(self, call: _Call, limiter: Limiter, reservation: Reservation, error: KitError) -> None:
        feedback = feedback_on(error)
        if feedback is Feedback.RATE_LIMIT:
            if call.slot is not None:
                call.slot.booking.is_void = True
            await limiter.on_rate_limit(error.retry_after_s, reservation=reservation)
        elif feedback is Feedback.ERROR:
            await limiter.on_error(reservation=reservation)
        elif feedback is Feedback.SUCCESS:
            await limiter.on_success(reservation)

    async def _placed(self, call: _Call) -> Answer:
        """Take a place among the connections, and send."""
        bulkhead = call.lane.bulkhead
        if not bulkhead.try_enter():
            await self._stand_in_line(call)
        call.sent_s = self._tick()
        try:
            return await self._transport(call.request, call.lane.policy, call.ends_s - call.sent_s)
        finally:
            bulkhead.leave()

    async def _stand_in_line(self, call: _Call) -> None:
        began_s, is_refused = self._tick(), True
        try:
            await call.lane.bulkhead.enter(max(0.0, call.ends_s - began_s))
            is_refused = False
        except BulkheadFull as error:
            error.retry_after_s = call.lane.policy.bulkhead.wait_s
            raise
        finally:
            waited_s = self._tick() - began_s
            call.journey.queued_s += waited_s
            tell(self._hooks, BulkheadWaited(key=call.lane.policy.key, wait_s=waited_s, is_refused=is_refused))
