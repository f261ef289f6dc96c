"""The breaker as one uses it: a closed one costs next to nothing, though its state is shared.

Each process keeps a view of the shared state. While the view says closed, calls go without a round trip and good ones
are only counted; the view is renewed behind the calls after half a second, and awaited when it is older than a second.
A failure is told at once, and so is a success while the shared count of failures is not zero. An open breaker refuses
from the view alone until a probe is due. So five failures in a row, spread over processes, open the breaker for all
of them at the latest one second later. Counts of calls are gathered without a lock: under many threads a few may be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, TypeVar

from apps.resilience.breaker import Admission, BreakerPhase, BreakerRule, BreakerState, Verdict, tally_of
from apps.resilience.bridge import bridge
from apps.resilience.clock import Clock, SystemClock, wait_really_s
from apps.resilience.errors import BreakerOpen, Refused, StoreUnavailable
from apps.resilience.guarding import Guarding
from apps.resilience.hooks import BreakerChanged, Hook, tell
from apps.resilience.ports import Store
from apps.resilience.windows import Tally

P = ParamSpec("P")
T = TypeVar("T")
VIEW_S = 0.5  # a view older than this is renewed behind the calls
VIEW_S_MAX = 1.0  # and one older than this is not trusted
KICK_S = 0.1  # between two attempts to renew
HALF_OPEN_VIEW_S = 0.1  # how long a refusal in half-open is trusted
NEVER = float("-inf")
Counts = Callable[[Exception], bool]


def every_failure(error: Exception) -> bool:
    """Count every exception except the kit's own refusals, where nothing was sent."""
    return not isinstance(error, Refused)


class Breaker(Guarding):
    """The breaker of one key, shared through `store`. Make one for each key and process, and keep it.

    Use it as `breaker.call(f, …)`, `await breaker.call_async(f, …)`, a decorator, or in `with` and `async with`; or,
    closer to the ground, `admit` and `report`. `counts` says which exceptions are failures of the other side; the
    others say nothing about it. Plain code goes over the bridge when a round trip is due; called from within an event
    loop it may hold the loop for that long, so use the asynchronous forms there.
    """

    def __init__(
        self,
        key: str,
        *,
        store: Store,
        rule: BreakerRule | None = None,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
        counts: Counts = every_failure,
    ) -> None:
        self.key = key
        self.rule = rule or BreakerRule()
        self._store = store
        self._hooks = hooks
        self._counts = counts
        self._tick = (clock or SystemClock()).monotonic_s
        self._slow_s = self.rule.slow_s
        self._phase = BreakerPhase.CLOSED
        self._closed: Admission | None = None
        self._generation = -1
        self._failures = 0
        self._quick_until_s = self._admit_until_s = self._trust_until_s = NEVER
        self._refuse_until_s = self._view_until_s = NEVER
        self._calls = self._slow = self._saved = 0
        self._is_asking = False
        self._renewal: asyncio.Task[BreakerState] | None = None
        self._probes: dict[str, asyncio.Task[None]] = {}

    @property
    def phase(self) -> BreakerPhase:
        """The phase as this process last saw it."""
        return self._phase

    def call(self, f: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `f` and return its answer. Raises BreakerOpen without calling it, or what it raised."""
        started_s = self._tick()
        if started_s >= self._quick_until_s:
            return self._call_with_care(f, *args, **kwargs)
        try:
            answer = f(*args, **kwargs)
        except BaseException as error:
            self._settle_failed_call(error, started_s)
            raise
        self._calls += 1
        if self._tick() - started_s > self._slow_s:
            self._slow += 1
        return answer

    async def call_async(self, f: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await `f` and return its answer. Raises BreakerOpen without calling it, or what it raised."""
        admission = await self.admit()
        started_s = self._tick()
        try:
            answer = await f(*args, **kwargs)
        except BaseException as error:
            await self.report(admission, self.verdict_on(error), self._tick() - started_s)
            raise
        if not self.note(admission, Verdict.SUCCESS, self._tick() - started_s):
            await self.report(admission, Verdict.SUCCESS, self._tick() - started_s)
        return answer

    def try_admit(self) -> Admission | None:
        """Answer from the view, or None when a round trip is needed. Raises BreakerOpen."""
        now_s = self._tick()
        if now_s < self._admit_until_s:
            return self._closed
        if now_s < self._refuse_until_s:
            self._saved += 1
            if now_s >= self._view_until_s:
                self._renew_behind(now_s)
            raise self._refusal(self._refuse_until_s - now_s)
        if self._closed is not None and now_s < self._trust_until_s:
            self._renew_behind(now_s)
            return self._closed
        return None

    async def admit(self) -> Admission:
        """Let the call go, or raise BreakerOpen. Every admission must be reported, whatever becomes of the call."""
        return self.try_admit() or await self._ask()

    def note(self, admission: Admission, verdict: Verdict, duration_s: float) -> bool:
        """Take the verdict without a round trip; False when it must be told by `report`."""
        if admission.token:
            return False
        if verdict is Verdict.NEUTRAL or admission.generation != self._generation:
            return True
        if verdict is Verdict.FAILURE or self._failures:
            return False
        self._calls += 1
        if duration_s > self._slow_s:
            self._slow += 1
        return True

    async def report(self, admission: Admission, verdict: Verdict, duration_s: float = 0.0) -> None:
        """Say how an admitted call went and how long it took."""
        if self.note(admission, verdict, duration_s):
            return
        keeping = self._probes.pop(admission.token, None)
        if keeping is not None:
            keeping.get_loop().call_soon_threadsafe(keeping.cancel)
        is_slow = verdict is not Verdict.NEUTRAL and duration_s > self._slow_s
        tally = tally_of(verdict).plus(Tally(slow=int(is_slow)))
        await self._tell(verdict, generation=admission.generation, token=admission.token, tally=tally)

    def verdict_on(self, error: BaseException) -> Verdict:
        """Return what an exception says about the other side; a call broken off says nothing."""
        is_failure = isinstance(error, Exception) and self._counts(error)
        return Verdict.FAILURE if is_failure else Verdict.NEUTRAL

    async def look(self) -> BreakerState:
        """Return the shared state, with this process's counts told first."""
        return await self._refresh()

    async def reset(self) -> None:
        """Close the breaker by hand, for every process within a second. Resets the limiter of the same key too."""
        await self._store.reset(self.key)
        await self._refresh()

    def _settle_failed_call(self, error: BaseException, started_s: float) -> None:
        """Report a call that went by the view; when the breaker opened meanwhile it is old news."""
        if self._closed is not None:
            self._report_plainly(self._closed, self.verdict_on(error), self._tick() - started_s)

    async def _ask(self) -> Admission:
        """Renew an old view; when it says open, ask for a probe."""
        state = await asyncio.shield(self._renewing())
        if state.phase is BreakerPhase.CLOSED and self._closed is not None:
            return self._closed
        if state.open_for_s > 0 or self._is_asking:
            self._saved += 1
            raise self._refusal(state.open_for_s or HALF_OPEN_VIEW_S)
        self._is_asking = True  # one question at a time from one process is enough
        try:
            admission = await self._store.admit(self.key, self.rule)
        finally:
            self._is_asking = False
        if not admission.allowed:
            self._saved += 1
            self._refuse_until_s = self._tick() + min(HALF_OPEN_VIEW_S, admission.retry_after_s)
            raise self._refusal(admission.retry_after_s)
        self._see_phase(admission.phase)
        if admission.token:
            self._probes[admission.token] = asyncio.get_running_loop().create_task(self._keep_place(admission.token))
        return admission

    async def _keep_place(self, token: str) -> None:
        """Renew a probe's lease while its call runs, so that only a dead prober loses its place."""
        ends_s = self._tick() + self.rule.probe_s_max
        while self._tick() < ends_s:
            await wait_really_s(self.rule.probe_lease_s / 3)
            await self._store.renew(self.key, self.rule, token=token)
        self._probes.pop(token, None)

    async def _refresh(self) -> BreakerState:
        return await self._tell(Verdict.NEUTRAL, generation=self._generation, token="", tally=Tally())

    async def _tell(self, verdict: Verdict, *, generation: int, token: str, tally: Tally) -> BreakerState:
        """Tell the store a verdict with all that was counted, and take its state as the new view."""
        calls, slow, saved = self._calls, self._slow, self._saved
        self._calls = self._slow = self._saved = 0
        tally = tally.plus(Tally(calls=calls, slow=slow))
        try:
            state = await self._store.report(
                self.key, self.rule, verdict, generation=generation, token=token, tally=tally, saved=saved
            )
        except StoreUnavailable:
            self._calls, self._slow, self._saved = self._calls + calls, self._slow + slow, self._saved + saved
            raise
        self._see(state)
        return state

    def _see(self, state: BreakerState) -> None:
        now_s = self._tick()
        is_closed = state.phase is BreakerPhase.CLOSED
        self._generation, self._failures = state.generation, state.failures
        self._closed = Admission(allowed=True, phase=state.phase, generation=state.generation) if is_closed else None
        self._view_until_s = now_s + VIEW_S
        self._trust_until_s = now_s + VIEW_S_MAX
        self._admit_until_s = self._view_until_s if is_closed else NEVER
        self._quick_until_s = self._admit_until_s if not state.failures else NEVER
        self._refuse_until_s = now_s + state.open_for_s if state.phase is BreakerPhase.OPEN else NEVER
        self._see_phase(state.phase)

    def _see_phase(self, phase: BreakerPhase) -> None:
        if phase is not self._phase:
            self._phase = phase
            tell(self._hooks, BreakerChanged(key=self.key, phase=phase))

    def _refusal(self, retry_after_s: float) -> BreakerOpen:
        return BreakerOpen(f"the breaker of {self.key} is open", retry_after_s=retry_after_s)

    def _renew_behind(self, now_s: float) -> None:
        """Have the view renewed while calls go on. When that fails, the first call beyond the trusted age meets it."""
        self._view_until_s = now_s + KICK_S
        if self._closed is not None:
            self._admit_until_s = min(now_s + KICK_S, self._trust_until_s)
            self._quick_until_s = self._admit_until_s if not self._failures else NEVER
        if asyncio._get_running_loop() is None:
            bridge().submit(self._refresh())
        else:
            self._renewing()

    def _renewing(self) -> asyncio.Task[BreakerState]:
        """Return the renewal under way in this loop, or start one."""
        loop = asyncio.get_running_loop()
        if self._renewal is None or self._renewal.done() or self._renewal.get_loop() is not loop:
            self._renewal = loop.create_task(self._refresh())
            self._renewal.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._renewal
