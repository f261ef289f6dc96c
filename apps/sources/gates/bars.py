"""The gate for bars: which ones a series can do without, and which ones deserve a second look.

Refused (they go into the quarantine, the rest is kept):

contradiction  high below low, or open or close outside of them by more than a tenth
no price       a price at or below zero: no index, share or coin has one, and the desk's models take logarithms. (One
               future, WTI on 20 April 2020, truly had: its day is lost on purpose.) Or one that is too small or too
               large for any market, and for the desk's tables
future         a bar that closes more than three days after the answer came
duplicate      of two different bars with one moment the later in the answer stands; equal ones are one bar
scale          prices ×100 or ×10,000 up or down against the rest (cents for units, units for cents), in one price of a
               bar or in whole runs. A series keeps one scale: that of its newest run of at least five traded bars,
               else the one with most traded bars, else with most bars. So a run that returns is refused, a newest bar
               that leaps is held back until five say the same, and what lies before a lasting change of scale
               (a currency that dropped two zeros) is refused too: it cannot be compared with today's prices.

Flagged only, because real markets do it:

widened        open or close a little outside of low and high, as where an auction ends the day that the vendor's range
               leaves out: the range is widened to hold them, for what was paid was paid
move           one bar's close more than 50 % from the last one's
unmoved        five or more bars in a row at one price without volume
old            the newest bar is more than ten days old
order          the answer was not in order of time
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise

from apps.sources.types import CandleRecord, Rejected

ROUNDING = Decimal("0.000001")  # relative: floats on a wire carry about seven digits at worst; this is not worth a flag
OUTSIDE_MAX = Decimal("0.1")  # relative
PRICE_MIN, PRICE_MAX = Decimal("1e-10"), Decimal(10) ** 12
SCALE_LOG10 = 2.0  # one step of scale: a hundred
SCALE_SLACK_LOG10 = 0.125  # a leap of 75 to 133 counts as a hundred: the error and a day's true move together
SCALE_STEPS_MAX = 2
RUN_BARS_MIN = 5
MOVE_MAX = 0.5
UNMOVED_BARS_MIN = 5
AHEAD_MAX = timedelta(days=3)
OLD_AFTER = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Flag:
    """Something unusual that is kept: the rule that saw it, the bar's moment, and what it saw."""

    rule: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The bars that are believed, oldest first; those that are not, with the rule as first word of the reason; and flags."""

    bars: tuple[CandleRecord, ...]
    rejected: tuple[Rejected, ...]
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A bar with the step of scale that its prices stand on, relative to the first bar; None: its prices disagree."""

    bar: CandleRecord
    step: int | None


def judge(bars: Sequence[CandleRecord], *, now: datetime) -> Judged:
    """Return the bars of one instrument sorted into believed, refused and flagged; `now` is when the answer came."""
    rejected: list[Rejected] = []
    sound = _sound(bars, now, rejected)
    single = _single(sound, rejected)
    kept = _on_one_scale(single, rejected)
    wide = [bar for bar in kept if _outside(bar) > 0]
    if wide:
        kept = tuple(_widened(bar) for bar in kept)
    flags = (*_order(sound), *_wide(wide), *_moves(kept), *_unmoved(kept), *_old(kept, now))
    return Judged(bars=kept, rejected=tuple(rejected), flags=flags)


def fault_of(bar: CandleRecord) -> str:
    """Return what is wrong with one bar by itself, or nothing."""
    prices = (bar.open, bar.high, bar.low, bar.close)
    if min(prices) <= 0:
        return "no price: a price is zero or below"
    if min(prices) < PRICE_MIN or max(prices) > PRICE_MAX:
        return f"no price: a price is not between {PRICE_MIN} and {PRICE_MAX}"
    if bar.high < bar.low:
        return f"contradiction: high {bar.high} is below low {bar.low}"
    if _outside(bar) > OUTSIDE_MAX:
        return f"contradiction: open {bar.open} and close {bar.close} are not between low {bar.low} and high {bar.high}"
    return ""


def _outside(bar: CandleRecord) -> Decimal:
    """Return how far open or close lie outside of low and high, as a fraction; 0 when they lie between."""
    return max(max(bar.open, bar.close) / bar.high - 1, 1 - min(bar.open, bar.close) / bar.low, Decimal(0))


def _widened(bar: CandleRecord) -> CandleRecord:
    return replace(bar, high=max(bar.open, bar.high, bar.close), low=min(bar.open, bar.low, bar.close))


def _sound(bars: Sequence[CandleRecord], now: datetime, rejected: list[Rejected]) -> list[CandleRecord]:
    sound = []
    for bar in bars:
        fault = fault_of(bar) or ("future: it closes days after the answer came" if bar.closes_at > now + AHEAD_MAX else "")
        if fault:
            rejected.append(_refused(bar, fault))
        else:
            sound.append(bar)
    return sound


def _single(bars: Sequence[CandleRecord], rejected: list[Rejected]) -> list[CandleRecord]:
    """Return one bar for each moment, oldest first."""
    by_moment: dict[datetime, CandleRecord] = {}
    for bar in bars:
        earlier = by_moment.get(bar.closes_at)
        if earlier is not None and earlier != bar:
            rejected.append(_refused(earlier, "duplicate: another bar of the same moment follows"))
        by_moment[bar.closes_at] = bar
    return [by_moment[moment] for moment in sorted(by_moment)]


def _on_one_scale(bars: Sequence[CandleRecord], rejected: list[Rejected]) -> tuple[CandleRecord, ...]:
    placed = _placed(bars)
    if all(one.step == 0 for one in placed):
        return tuple(bars)
    home = _home(placed)
    for one in placed:
        if one.step is None:
            rejected.append(_refused(one.bar, "scale: prices of one bar are ×100 apart"))
        elif one.step != home:
            factor = Decimal(100) ** (one.step - home)
            rejected.append(_refused(one.bar, f"scale: ×{factor.normalize():f} against the bars around it"))
    return tuple(one.bar for one in placed if one.step == home)


def _placed(bars: Iterable[CandleRecord]) -> list[_Placed]:
    """Give every bar its step of scale, following the close from bar to bar."""
    placed: list[_Placed] = []
    reference = 0.0
    for bar in bars:
        prices = [float(price) for price in (bar.close, bar.open, bar.high, bar.low)]
        reference = reference or prices[0]
        steps = [steps_between(reference, price) for price in prices]
        # Within a bar the prices are compared with each other too: an open may truly lie far from yesterday's close.
        is_one = all(step == steps[0] for step in steps) or steps_between(prices[3], prices[2]) == 0
        placed.append(_Placed(bar, steps[0] if is_one else None))
        if is_one:
            reference = prices[0] / 100.0 ** steps[0]
    return placed


def steps_between(reference: float, price: float) -> int:
    """Return how many steps of ×100 a price stands from another; 0 when the ratio is not one of those."""
    distance = math.log10(price / reference) / SCALE_LOG10
    steps = round(distance)
    is_scale = steps != 0 and abs(steps) <= SCALE_STEPS_MAX and abs(distance - steps) * SCALE_LOG10 <= SCALE_SLACK_LOG10
    return steps if is_scale else 0


def _home(placed: Sequence[_Placed]) -> int:
    """Return the step of scale that the series is believed on."""
    has_volume = any(one.bar.volume for one in placed)
    single = [(one.step, one.bar) for one in placed if one.step is not None]
    runs: list[tuple[int, list[CandleRecord]]] = [
        (step, [bar for _, bar in run]) for step, run in groupby(single, key=lambda pair: pair[0])
    ]
    traded = [(step, sum(1 for bar in run if bar.volume or not has_volume)) for step, run in runs]
    if traded and traded[-1][1] >= RUN_BARS_MIN:
        return traded[-1][0]
    weights: dict[int, tuple[int, int]] = {}
    for (step, count), (_, run) in zip(traded, runs, strict=True):
        before = weights.get(step, (0, 0))
        weights[step] = (before[0] + count, before[1] + len(run))
    return max(weights.items(), key=lambda item: item[1], default=(0, (0, 0)))[0]


def _order(bars: Sequence[CandleRecord]) -> tuple[Flag, ...]:
    late = [bar for before, bar in pairwise(bars) if bar.closes_at < before.closes_at]
    return (Flag("order", late[0].closes_at, f"{len(late)} bars come after newer ones"),) if late else ()


def _wide(bars: Sequence[CandleRecord]) -> tuple[Flag, ...]:
    far = [bar for bar in bars if _outside(bar) > ROUNDING]
    return (Flag("widened", far[0].closes_at, f"{len(far)} bars with open or close outside of their range"),) if far else ()


def _moves(bars: Sequence[CandleRecord]) -> tuple[Flag, ...]:
    flags = []
    for before, bar in pairwise(bars):
        move = float(bar.close / before.close) - 1
        if abs(move) > MOVE_MAX:
            flags.append(Flag("move", bar.closes_at, f"{before.close} to {bar.close} ({move:+.0%})"))
    return tuple(flags)


def _unmoved(bars: Sequence[CandleRecord]) -> tuple[Flag, ...]:
    flags = []
    for (price, is_still), group in groupby(bars, key=lambda bar: (bar.close, not bar.volume and bar.high == bar.low)):
        run = list(group)
        if is_still and len(run) >= UNMOVED_BARS_MIN:
            flags.append(Flag("unmoved", run[0].closes_at, f"{len(run)} bars at {price} without volume"))
    return tuple(flags)


def _old(bars: Sequence[CandleRecord], now: datetime) -> tuple[Flag, ...]:
    if not bars or now - bars[-1].closes_at <= OLD_AFTER:
        return ()
    return (Flag("old", bars[-1].closes_at, f"the newest bar is {(now - bars[-1].closes_at).days} days old"),)


def _refused(bar: CandleRecord, reason: str) -> Rejected:
    excerpt = f"open {bar.open} high {bar.high} low {bar.low} close {bar.close} volume {bar.volume}"
    return Rejected(reason=reason, excerpt=excerpt, key=f"{bar.symbol} {bar.closes_at.isoformat()}")
