"""Learning a quota that the other side does not publish, from the few answers that say "too many".

A trail keeps how many calls were let go in the last two windows. A rate-limit answer then teaches an estimate: as many
calls as were granted in the window before it. But not every such answer comes from a quota: when the window before was
granted half as much or more, when very few calls were granted, or fewer than the pace allowed (so that the estimate
would be our own demand), the first refusal teaches nothing. It is a suspicion for 4 windows; a refusal after ten good
answers within that time confirms it. The floor, the fastest interval that is thought to be safe, is set
3 % slower than the estimate, and starts are spaced evenly from then on. From there the truth is approached:

    growing    nothing is known to be too fast: each clean and busy window, the floor is tried faster by a step that
               grows (doubling first when the trail was shorter than a window, as a bucket may then hold much more)
    bisecting  a trial failed: the next one lies half-way between what went well and what did not
    settled    both are within 8 %: only a trial of 2 %, at the earliest after 10 windows and 1,000 good answers; each
               failure doubles that patience, each success halves it, down to 3 windows and 300 answers

A floor that leaves slots over, since demand has fallen below it, is halved each second window by time alone (when
settled, after its patience), and forgotten once it is down to the published interval.

A failed trial goes back to the floor before it. A refusal without a trial makes the floor 3 % slower, or more when
the trail was full and shows that fewer calls were granted. Refusals in a row, with no good answer between, are one.
Ten windows of steady demand are enough, fifteen for buckets (`tests/unit/resilience/test_limiter_learning.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

CELLS_PER_WINDOW = 60
GRANTED_MIN, GRANTED_SHARE = 10, 10  # fewer calls, or less than this part of the published quota, prove no quota
SUSPICION_WINDOWS = 4  # a quota that is really there is felt again within these
CELLS = 256  # two windows back, and the rest ahead
CELLS_AHEAD = CELLS - 2 * CELLS_PER_WINDOW - 1
MARGIN, SLOWER_MAX = 1.03, 1.25  # the least and the most that one refusal of the settled pace slows it
SETTLED_RATIO = 1.08
SURE_RATIO = 1.13  # a sure estimate is tried once, half-way to this
ECHO_SHARE = 30  # refusals within this part of a window after the first belong to it
SLOWEST_FACTOR = 64  # an interval never grows beyond this many published ones, so that recovery stays in sight
STEP_UNSURE, STEP_LIKELY, STEP_SETTLED, STEP_MAX = 1000, 150, 20, 1000  # thousandths
STEP_MAX_AGAIN = 100  # once something was refused, growth is gentler: a deep bucket lets much too much pass at first
STEP_GROWTH = 3
TRIAL_WINDOWS = 1.1
PATIENCE_MIN, PATIENCE_FIRST, PATIENCE_MAX = 3, 10, 160  # windows
QUIET_PER_WINDOW = 100  # good answers for each window of patience
QUIET_MIN = 10  # fewer good answers since the last refusal say nothing about the pace that was achieved
BUSY = 0.8  # a window proves something only when this share of its slots was used
STEP_IDLE, IDLE_WINDOWS = 1000, 2  # nobody waits for the slots that an idle window leaves: a long step risks nothing


class Trail:
    """How many calls were let go, in cells of a sixtieth of a window."""

    def __init__(self) -> None:
        self._cells = [(0, 0)] * CELLS

    def started(self, start_us: int, *, now_us: int, window_us: int) -> None:
        """Note a call that starts at `start_us`; one that lies more than two windows ahead is not noted."""
        cell_us = _cell_us(window_us)
        number = start_us // cell_us
        if number - now_us // cell_us > CELLS_AHEAD:
            return
        kept, count = self._cells[number % CELLS]
        self._cells[number % CELLS] = (number, count + 1 if kept == number else 1)

    def withdrawn(self, *, now_us: int, window_us: int) -> None:
        """Take back the latest start up to now: it was refused and is none of those that were granted."""
        newest = now_us // _cell_us(window_us)
        for number in range(newest, newest - CELLS_PER_WINDOW, -1):
            kept, count = self._cells[number % CELLS]
            if kept == number and count > 0:
                self._cells[number % CELLS] = (number, count - 1)
                return

    def count(self, *, now_us: int, window_us: int, back: int = 0, cells: int = CELLS_PER_WINDOW) -> int:
        """Return the starts in the window that ends now; or in so many cells, that end so many cells back."""
        newest = now_us // _cell_us(window_us) - back
        numbers = range(newest - cells + 1, newest + 1)
        found = [self._cells[number % CELLS] for number in numbers]
        return sum(count for number, (kept, count) in zip(numbers, found, strict=True) if kept == number)

    def granted(self, *, now_us: int, window_us: int) -> tuple[int, bool]:
        """Return the starts in the window that ends now, and whether the window before it was about as busy."""
        granted = self.count(now_us=now_us, window_us=window_us)
        return granted, self.count(now_us=now_us, window_us=window_us, back=CELLS_PER_WINDOW) * 2 >= granted

    def span(self, *, now_us: int, window_us: int) -> int:
        """Return how many cells ago, itself included, the window's first start was; 0 without one."""
        cells = range(CELLS_PER_WINDOW, 0, -1)
        return next((back for back in cells if self.count(now_us=now_us, window_us=window_us, back=back - 1, cells=1)), 0)

    def demand(self, *, now_us: int, window_us: int) -> int:
        """Return the starts in the busier one of the last two windows."""
        before = self.count(now_us=now_us, window_us=window_us, back=CELLS_PER_WINDOW)
        return max(before, self.count(now_us=now_us, window_us=window_us))


@dataclass(frozen=True, slots=True)
class Learned:
    """What refusals taught. All zero: nothing yet. Without a floor: a refusal that may have been a mere fault.

    `floor_us` is the fastest interval thought safe, `good_us` the one before the present trial (0: no trial),
    `bad_us` the slowest one known to be too fast, `step` the size of the next trial in thousandths, `patience` how
    many windows to wait for a trial when settled, `quiet_from_us` and `quiet` since when, and for how many good
    answers, nothing was refused and nothing tried.
    """

    floor_us: int = 0
    good_us: int = 0
    bad_us: int = 0
    step: int = 0
    patience: int = 0
    quiet_from_us: int = 0
    quiet: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether what went well and what did not are close together."""
        return self.bad_us > 0 and self.floor_us <= self.bad_us * SETTLED_RATIO

    def is_suspicion(self, *, now_us: int, window_us: int) -> bool:
        """Whether a refusal taught nothing yet, but the next one may."""
        return not self.floor_us and now_us - self.quiet_from_us < window_us * SUSPICION_WINDOWS

    def is_second(self, *, now_us: int, window_us: int) -> bool:
        """Whether a refusal of now follows good answers that followed one that taught nothing: this one teaches."""
        return self.quiet >= QUIET_MIN and self.is_suspicion(now_us=now_us, window_us=window_us)

    def was_fault(self, *, now_us: int, window_us: int) -> bool:
        """Whether the refusal that taught nothing is a whole window ago, and good answers came since."""
        return not self.floor_us and self.quiet_from_us > 0 and self.quiet > 0 and now_us - self.quiet_from_us >= window_us


def _cell_us(window_us: int) -> int:
    return max(1, window_us // CELLS_PER_WINDOW)


def after_limit(learned: Learned, trail: Trail, *, interval_us: int, window_us: int, now_us: int, pause_us: int = 0) -> Learned:
    """Learn from a refusal; the published interval is `interval_us`, `pause_us` what a Retry-After asked for."""
    granted, is_full = trail.granted(now_us=now_us, window_us=window_us)
    if granted < 1:
        return learned
    estimate_us = min(math.floor(window_us * MARGIN / granted), interval_us * SLOWEST_FACTOR)
    if learned.floor_us and not learned.good_us and learned.quiet == 0:
        return _still_refused(learned, estimate_us, now_us=now_us)
    if not learned.floor_us and not learned.is_second(now_us=now_us, window_us=window_us):
        span_us = trail.span(now_us=now_us, window_us=window_us) * _cell_us(window_us)
        if is_full or _is_few(granted, interval_us=interval_us, window_us=window_us, span_us=span_us):
            quiet = learned.quiet if learned.is_suspicion(now_us=now_us, window_us=window_us) else 0
            return Learned(quiet_from_us=now_us, quiet=quiet)
    is_early = now_us - learned.quiet_from_us < window_us // ECHO_SHARE
    if learned.floor_us and not learned.good_us and is_early:
        return learned  # slots taken before the lesson are still coming up
    if not learned.floor_us:
        is_sure = pause_us > max(2 * estimate_us, window_us // ECHO_SHARE)
        is_long = trail.count(now_us=now_us, window_us=window_us, back=CELLS_PER_WINDOW // 4, cells=CELLS_PER_WINDOW // 2) > 0
        learned = _first_lesson(max(estimate_us, interval_us), is_sure=is_sure, step=STEP_LIKELY if is_long else STEP_UNSURE)
    elif learned.good_us:
        learned = _failed_trial(learned)
    else:
        learned = _too_fast(learned, estimate_us if is_full else 0, interval_us=interval_us, now_us=now_us)
    return replace(learned, quiet_from_us=now_us, quiet=0)


def _is_few(granted: int, *, interval_us: int, window_us: int, span_us: int) -> bool:
    """Whether too few calls were granted for a quota, or fewer than the pace allowed: then demand was their measure."""
    is_below = granted < GRANTED_MIN or granted * interval_us * GRANTED_SHARE < window_us
    return is_below or granted * interval_us < span_us * BUSY


def after_echo(learned: Learned, trail: Trail, *, interval_us: int, window_us: int, now_us: int) -> Learned:
    """Correct the latest lesson by a refusal of a call that was on its way when it was learned: one fewer was granted."""
    granted, is_full = trail.granted(now_us=now_us, window_us=window_us)
    is_fresh = learned.quiet == 0 and now_us - learned.quiet_from_us <= window_us // ECHO_SHARE
    if granted < 1 or not learned.floor_us or learned.good_us or not is_fresh or (learned.bad_us and not is_full):
        return learned
    estimate_us = min(math.floor(window_us * MARGIN / granted), interval_us * SLOWEST_FACTOR)
    return replace(learned, floor_us=max(learned.floor_us, min(estimate_us, learned.floor_us * 2)))


def _first_lesson(floor_us: int, *, is_sure: bool, step: int) -> Learned:
    bad_us = math.floor(floor_us / SURE_RATIO) if is_sure else 0
    return Learned(floor_us=floor_us, bad_us=bad_us, step=step, patience=PATIENCE_FIRST)


def _still_refused(learned: Learned, estimate_us: int, *, now_us: int) -> Learned:
    """Go on waiting. A bucket that fills at the floor's pace would have had a slot by now, so it is a window, and full.

    The calls granted in the window before any refusal are then at least the quota: the fewest seen are the best guess.
    """
    if now_us - learned.quiet_from_us < learned.floor_us:
        return replace(learned, quiet_from_us=now_us)
    floor_us = max(learned.floor_us, min(estimate_us, learned.floor_us * 2))
    bad_us = learned.bad_us or math.floor(floor_us / SURE_RATIO)
    return replace(learned, floor_us=floor_us, bad_us=bad_us, quiet_from_us=now_us)


def _failed_trial(learned: Learned) -> Learned:
    """Go back to what went well."""
    patience = learned.patience
    if learned.good_us <= learned.floor_us * SETTLED_RATIO:
        patience = min(max(patience * 2, PATIENCE_FIRST), PATIENCE_MAX)
    return replace(learned, floor_us=learned.good_us, good_us=0, bad_us=learned.floor_us, step=STEP_SETTLED, patience=patience)


def _too_fast(learned: Learned, estimate_us: int, *, interval_us: int, now_us: int) -> Learned:
    """Go slower: as slow as the calls granted since the last refusal came, or as a full trail shows, within limits."""
    achieved_us = (now_us - learned.quiet_from_us) // learned.quiet if learned.quiet >= QUIET_MIN else 0
    slower_us = min(max(learned.floor_us * MARGIN, achieved_us), learned.floor_us * SLOWER_MAX)
    slower_us = max(math.floor(slower_us), min(estimate_us, learned.floor_us * 2))
    floor_us = min(slower_us, interval_us * SLOWEST_FACTOR)
    if not learned.bad_us and not estimate_us:
        return replace(learned, floor_us=floor_us)
    return replace(learned, floor_us=floor_us, bad_us=learned.floor_us, step=STEP_SETTLED)


def after_successes(learned: Learned, trail: Trail, count: int, *, interval_us: int, window_us: int, now_us: int) -> Learned:
    """Take good answers; when the time has come, try to go faster."""
    if learned.floor_us or learned.quiet_from_us:
        learned = replace(learned, quiet=learned.quiet + count)
    if not learned.floor_us:
        return learned if learned.is_suspicion(now_us=now_us, window_us=window_us) else Learned()
    quiet_us = now_us - learned.quiet_from_us
    if quiet_us < window_us * TRIAL_WINDOWS:
        return learned
    if learned.quiet * learned.floor_us < quiet_us * BUSY:
        return _after_idle(learned, trail, interval_us=interval_us, window_us=window_us, now_us=now_us)
    if learned.good_us:
        learned = _passed_trial(learned)
    if learned.floor_us <= interval_us:
        return learned
    if learned.is_settled and (quiet_us < window_us * learned.patience or learned.quiet < learned.patience * QUIET_PER_WINDOW):
        return learned
    return _trial(learned, interval_us=interval_us, now_us=now_us)


def _after_idle(learned: Learned, trail: Trail, *, interval_us: int, window_us: int, now_us: int) -> Learned:
    """Let time alone bring back a floor that nobody needs: when slots are left over, no call waits for it."""
    patience = max(IDLE_WINDOWS, learned.patience if learned.is_settled else 0)
    if now_us - learned.quiet_from_us < window_us * patience:
        return learned
    if trail.count(now_us=now_us, window_us=window_us) * learned.floor_us >= window_us * BUSY:
        return learned
    if learned.floor_us <= interval_us:
        return Learned()
    floor_us = max(math.floor(learned.floor_us * 1000 / (1000 + STEP_IDLE)), interval_us)
    return replace(learned, floor_us=floor_us, good_us=learned.floor_us, quiet_from_us=now_us, quiet=0)


def _passed_trial(learned: Learned) -> Learned:
    """Keep the faster floor; when even what was known as too fast went well, nothing is known any more."""
    bad_us = learned.bad_us if learned.bad_us < learned.floor_us else 0
    patience = max(learned.patience // 2, PATIENCE_MIN) if learned.is_settled else learned.patience
    step = min(learned.step * STEP_GROWTH, STEP_MAX if learned.step > STEP_MAX_AGAIN else STEP_MAX_AGAIN)
    return replace(learned, good_us=0, bad_us=bad_us, step=step, patience=patience)


def _trial(learned: Learned, *, interval_us: int, now_us: int) -> Learned:
    if learned.is_settled:
        trial_us = math.floor(learned.floor_us * 1000 / (1000 + STEP_SETTLED))
    elif learned.bad_us:
        trial_us = math.floor(math.sqrt(learned.floor_us * learned.bad_us))
    else:
        trial_us = math.floor(learned.floor_us * 1000 / (1000 + learned.step))
    floor_us = max(trial_us, interval_us)
    return replace(learned, floor_us=floor_us, good_us=learned.floor_us, quiet_from_us=now_us, quiet=0)
