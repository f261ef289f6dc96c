"""The hard limits as a list of small controls, each with a code and one judging function. Pure; money in integers.

A check that is `transient` may say yes later without anybody changing a limit (a stale price, a thin book). A check
that is not `for_sells` watches growing risk only: getting out is always allowed by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from apps.risk.situation import Situation


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw: its figure, the limit it was held against, and whether it is within."""

    is_within: bool
    figure: str
    limit: str


@dataclass(frozen=True, slots=True)
class Check:
    """One control."""

    code: str
    judge: Callable[[Situation], Finding]
    is_transient: bool = False
    for_sells: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A check with its finding."""

    code: str
    finding: Finding
    is_transient: bool


def evaluate(situation: Situation, checks: Sequence[Check]) -> tuple[Judged, ...]:
    """Run every check that applies to the intent's side; none is skipped because another said no."""
    applying = (check for check in checks if check.for_sells or situation.side == "buy")
    return tuple(Judged(check.code, check.judge(situation), check.is_transient) for check in applying)


def at_most(figure: float | int, limit: float | int) -> Finding:
    """Find whether the figure is at or under its limit."""
    return Finding(figure <= limit, str(figure), str(limit))


def share_at_most(part_minor: int, whole_minor: int, share: float) -> Finding:
    """Find whether a part of the bankroll is at or under its share; nothing is within a share of nothing."""
    limit_minor = int(max(0, whole_minor) * share)
    return at_most(part_minor, limit_minor)


def size(situation: Situation) -> Finding:
    """Judge whether the stake is positive (buy) or the units are positive and held (sell)."""
    if situation.side == "buy":
        return Finding(situation.stake_minor > 0, str(situation.stake_minor), "above 0")
    held = situation.money.units_held
    return Finding(0 < situation.units <= held, str(situation.units), f"held {held}")


def locks(situation: Situation) -> Finding:
    """Judge whether no kill switch or other lock is in force."""
    return Finding(not situation.locks, ", ".join(situation.locks) or "none", "none")


def market_open(situation: Situation) -> Finding:
    """Judge whether the market is open and takes orders."""
    market = situation.market
    figure = market.state if market.accepts_orders else f"{market.state}, takes no orders"
    return Finding(market.state == "open" and market.accepts_orders, figure, "open")


def time_to_close(situation: Situation) -> Finding:
    """Judge whether the close is far enough away."""
    left_s = (situation.market.closes_at - situation.now).total_seconds()
    needed_s = situation.limits.close_min_s / situation.speed
    return Finding(left_s > needed_s, f"{left_s:.3f} s", f"above {needed_s:.3f} s")


def price_age(situation: Situation) -> Finding:
    """Judge whether the price was confirmed lately."""
    age_s, limit_s = situation.market.price_age_s, situation.limits.price_age_max_s / situation.speed
    if age_s is None:
        return Finding(is_within=False, figure="no price", limit=f"{limit_s:.3f} s")
    return Finding(age_s <= limit_s, f"{age_s:.3f} s", f"{limit_s:.3f} s")


def spread(situation: Situation) -> Finding:
    """Judge whether bid and ask stand close together; a one-sided book has no spread and is refused."""
    bid, ask, limit = situation.market.bid, situation.market.ask, situation.limits.spread_max
    if bid is None or ask is None:
        return Finding(is_within=False, figure="one-sided", limit=str(limit))
    return Finding(float(ask - bid) <= limit + 1e-9, str(ask - bid), str(limit))


def liquidity(situation: Situation) -> Finding:
    """Judge whether the book takes all of the intent within its price limit."""
    market = situation.market
    if situation.side == "buy":
        return Finding(market.depth_minor >= situation.stake_minor, str(market.depth_minor), f"at least {situation.stake_minor}")
    return Finding(market.depth_units >= situation.units, str(market.depth_units), f"at least {situation.units}")


def venue_minimum(situation: Situation) -> Finding:
    """Judge whether the stake buys the fewest units that the venue takes, at the best ask."""
    market = situation.market
    if market.ask is None:
        return Finding(is_within=False, figure="no ask", limit=f"{market.min_units} units")
    units = situation.stake / market.ask if market.ask else Decimal(0)
    return Finding(units >= market.min_units, f"{units:.6f} units", f"at least {market.min_units} units")


def trade_size(situation: Situation) -> Finding:
    """Judge a single trade."""
    return at_most(situation.stake_minor, situation.limits.trade_max_minor)


def position_size(situation: Situation) -> Finding:
    """Judge the position that this trade would make, with what is held and pending already."""
    return at_most(situation.money.outcome_minor + situation.stake_minor, situation.limits.position_size_max_minor)


def concurrent_positions(situation: Situation) -> Finding:
    """Judge how many positions would be open, pending ones counted."""
    limits = situation.limits
    limit = limits.shadow_positions_open_max if situation.kind == "shadow" else limits.positions_open_max
    return at_most(situation.money.positions_open + 1, limit)


def event_concentration(situation: Situation) -> Finding:
    """Judge the share of the bankroll in one event."""
    part = situation.money.event_minor + situation.outlay_minor
    return share_at_most(part, situation.money.equity_minor, situation.limits.concentration_max_share)


def category_concentration(situation: Situation) -> Finding:
    """Judge the share of the bankroll in one category."""
    part = situation.money.category_minor + situation.outlay_minor
    return share_at_most(part, situation.money.equity_minor, situation.limits.category_max_share)


def daily_loss(situation: Situation) -> Finding:
    """Judge the loss of the day: once it has reached its limit, the day is over."""
    loss, limit = situation.day_loss_minor, situation.limits.daily_loss_max_minor
    return Finding(loss < limit, str(loss), f"under {limit}")


def drawdown(situation: Situation) -> Finding:
    """Judge how far equity has fallen from its peak."""
    return share_at_most(situation.drawdown_minor, situation.money.peak_minor, situation.limits.drawdown_max_share)


def free_balance(situation: Situation) -> Finding:
    """Judge whether the free balance covers stake and worst fee."""
    return at_most(situation.outlay_minor, situation.money.available_minor)


CHECKS = (
    Check("size", size, for_sells=True),
    Check("locked", locks, is_transient=True, for_sells=True),
    Check("market_not_open", market_open, for_sells=True),
    Check("close_too_near", time_to_close),
    Check("price_stale", price_age, is_transient=True, for_sells=True),
    Check("spread_too_wide", spread, is_transient=True),
    Check("liquidity_too_thin", liquidity, is_transient=True),
    Check("under_venue_minimum", venue_minimum, is_transient=True),
    Check("trade_too_large", trade_size),
    Check("position_too_large", position_size),
    Check("too_many_positions", concurrent_positions, is_transient=True),
    Check("event_concentration", event_concentration),
    Check("category_concentration", category_concentration),
    Check("daily_loss", daily_loss),
    Check("drawdown", drawdown),
    Check("balance_too_small", free_balance),
)
