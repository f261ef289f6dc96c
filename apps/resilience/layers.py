"""The layers around every call, in their fixed order: retry → breaker → limiter → transport.

Retry is outermost, so that each repeat asks the breaker again and takes its own slot of the limiter; the breaker comes
before the limiter, so that a call that may not go takes no slot. (Stale cache and singleflight will go outside of
retry, the bulkhead between limiter and transport.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from apps.resilience import retry
from apps.resilience.breaker import Verdict
from apps.resilience.clock import Clock, chance
from apps.resilience.errors import BadBody, BodyTooLarge, BreakerOpen, HttpStatus, KitError, PaceExceeded, Refused
from apps.resilience.exchange import Answer, Journey, Request, Response
from apps.resilience.hooks import AttemptFinished, BreakerChanged, Hook, RetryScheduled, tell
from apps.resilience.limiter import Feedback
from apps.resilience.policy import Policy
from apps.resilience.ports import Store

SERVICE_UNAVAILABLE = 503


class Transport(Protocol):
    """Makes one attempt over the wire. Raises the kit's errors and nothing else."""

    async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
        """Send the request and read its answer within `left_s` seconds."""
        ...


class Layers:
    """Sends requests through the layers; one for a process."""

    def __init__(
        self,
        *,
        transport: Transport,
        store: Store,
        clock: Clock,
        hooks: Sequence[Hook] = (),
        draw: Callable[[], float] = chance,
    ) -> None:
        self._transport = transport
        self._store = store
        self._clock = clock
        self._hooks = hooks
        self._draw = draw
        self._budgets: dict[str, retry.RetryBudget] = {}

    async def send(self, request: Request, policy: Policy) -> Response:
        """Send the request, repeating it as the policy allows. Raises the last attempt's KitError with its journey."""
        budget = self._budgets.setdefault(policy.key, retry.RetryBudget(policy.retry))
        budget.earn()
        journey = Journey()
        started_s = self._clock.monotonic_s()
        ends_s = started_s + policy.deadline_s
        while True:
            journey.attempts += 1
            try:
                answer = await self._attempt(request, policy, journey, ends_s)
            except KitError as error:
                await self._before_repeat(error, request, policy, journey, ends_s)
            else:
                return self._response(answer, journey, self._clock.monotonic_s() - started_s)

    async def _before_repeat(self, error: KitError, request: Request, policy: Policy, journey: Journey, ends_s: float) -> None:
        """Wait for the next attempt, or raise the error when there must be none."""
        error.journey = journey
        delay_s = retry.delay_before_retry(error, attempt=journey.attempts, rule=policy.retry, draw=self._draw)
        left_s = ends_s - self._clock.monotonic_s()
        if delay_s is None or delay_s >= left_s or not request.repeatable:
            raise error
        if not self._budgets[policy.key].spend():
            raise error
        scheduled = RetryScheduled(
            key=policy.key, operation=request.operation, attempt=journey.attempts, delay_s=delay_s, reason=error.code
        )
        tell(self._hooks, scheduled)
        await self._clock.sleep_s(delay_s)

    async def _attempt(self, request: Request, policy: Policy, journey: Journey, ends_s: float) -> Answer:
        """Make one attempt and tell the hooks how it went."""
        started_s, waited_s = self._clock.monotonic_s(), journey.wait_s
        outcome, status, size_bytes = "broken-off", None, 0
        try:
            answer = await self._guarded(request, policy, journey, ends_s)
        except KitError as error:
            outcome = error.code
            status = error.status if isinstance(error, HttpStatus) else None
            raise
        else:
            outcome, status, size_bytes = "ok", answer.status, len(answer.body)
            return answer
        finally:
            finished = AttemptFinished(
                key=policy.key,
                operation=request.operation,
                attempt=journey.attempts,
                outcome=outcome,
                status=status,
                duration_s=self._clock.monotonic_s() - started_s,
                wait_s=journey.wait_s - waited_s,
                size_bytes=size_bytes,
            )
            tell(self._hooks, finished)

    async def _guarded(self, request: Request, policy: Policy, journey: Journey, ends_s: float) -> Answer:
        """Ask the breaker first and report to it afterwards, also when the attempt is broken off."""
        admission = await self._store.admit(policy.key, policy.breaker)
        journey.phase = admission.phase
        if not admission.allowed:
            raise BreakerOpen(f"the breaker of {policy.key} is open", retry_after_s=admission.retry_after_s)
        verdict = Verdict.NEUTRAL
        try:
            answer = await self._paced(request, policy, journey, ends_s)
        except KitError as error:
            verdict = verdict_on(error)
            raise
        else:
            verdict = Verdict.SUCCESS
            return answer
        finally:
            state = await self._store.report(
                policy.key, policy.breaker, verdict, generation=admission.generation, token=admission.token
            )
            if state.phase is not admission.phase:
                tell(self._hooks, BreakerChanged(key=policy.key, phase=state.phase))

    async def _paced(self, request: Request, policy: Policy, journey: Journey, ends_s: float) -> Answer:
        """Take a slot, wait for it, send, and tell the limiter what the answer says about our pace."""
        if policy.pace is None:
            return await self._transport(request, policy, ends_s - self._clock.monotonic_s())
        left_s = max(0.0, ends_s - self._clock.monotonic_s())
        reservation = await self._store.reserve(policy.key, policy.pace, wait_s_max=left_s)
        if not reservation.granted:
            raise PaceExceeded(f"no free slot for {policy.key} in time", retry_after_s=reservation.wait_s)
        await self._clock.sleep_s(reservation.wait_s)
        journey.wait_s += reservation.wait_s
        try:
            answer = await self._transport(request, policy, ends_s - self._clock.monotonic_s())
        except KitError as error:
            feedback = feedback_on(error)
            await self._store.adapt(policy.key, policy.pace, feedback, retry_after_s=error.retry_after_s)
            raise
        await self._store.adapt(policy.key, policy.pace, Feedback.SUCCESS)
        return answer

    def _response(self, answer: Answer, journey: Journey, duration_s: float) -> Response:
        journey.redirects = answer.redirects
        return Response(
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            received_at_s=answer.received_at_s,
            duration_s=duration_s,
            journey=journey,
        )


def verdict_on(error: KitError) -> Verdict:
    """Return what a failed attempt says about the other side's health.

    A refusal of our own and a rate limit say nothing about it; a 404 shows that it is well.
    """
    if isinstance(error, Refused):
        return Verdict.NEUTRAL
    if isinstance(error, HttpStatus):
        if error.is_rate_limit:
            return Verdict.NEUTRAL
        return Verdict.FAILURE if error.transient else Verdict.SUCCESS
    is_ill = error.transient or isinstance(error, BadBody | BodyTooLarge)
    return Verdict.FAILURE if is_ill else Verdict.NEUTRAL


def feedback_on(error: KitError) -> Feedback:
    """Return what a failed attempt says about our pace; a 503 with Retry-After is a rate limit by another name."""
    if isinstance(error, HttpStatus):
        asks_to_wait = error.status == SERVICE_UNAVAILABLE and error.retry_after_s is not None
        if error.is_rate_limit or asks_to_wait:
            return Feedback.RATE_LIMIT
        return Feedback.ERROR if error.transient else Feedback.SUCCESS
    return Feedback.ERROR
