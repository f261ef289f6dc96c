"""The facts that the checks look at, frozen at one moment. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from apps.core.money import to_major, to_pay_minor
from apps.portfolio.types import PortfolioKind, Side
from apps.risk.types import LimitsView

# The venue rounds fees to five decimals; the worst fee is rounded up to the same step.
FEE_STEP = Decimal("0.00001")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """What is known of the market and its price; `price_age_s` is None when there never was one."""

    state: str
    accepts_orders: bool
    closes_at: datetime
    min_units: Decimal
    bid: Decimal | None
    ask: Decimal | None
    price_age_s: float | None
    depth_minor: int  # money that the book takes at or within the limit
    depth_units: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyFacts:
    """What the portfolio has: balances, equity, and money at risk in positions and holds together."""

    available_minor: int
    equity_minor: int
    peak_minor: int
    day_start_minor: int
    units_held: Decimal
    positions_open: int  # other outcomes than this one
    outcome_minor: int
    event_minor: int
    category_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that a decision rests on."""

    now: datetime
    speed: float
    currency: str
    kind: PortfolioKind
    side: Side
    stake_minor: int
    units: Decimal
    worst_fee_minor: int
    limits: LimitsView
    market: MarketFacts
    money: MoneyFacts
    locks: tuple[str, ...]

    @property
    def stake(self) -> Decimal:
        """Return the stake in major units."""
        return to_major(self.stake_minor, self.currency)

    @property
    def outlay_minor(self) -> int:
        """Return the most that this intent can take from the balance; nothing on a sell."""
        return self.stake_minor + self.worst_fee_minor if self.side == "buy" else 0

    @property
    def day_loss_minor(self) -> int:
        """Return how far equity is under its value at the start of the day."""
        return max(0, self.money.day_start_minor - self.money.equity_minor)

    @property
    def drawdown_minor(self) -> int:
        """Return how far equity is under its peak."""
        return self.money.peak_minor - self.money.equity_minor


def worst_fee_minor(stake_minor: int, rate: Decimal, *, currency: str) -> int:
    """Return the highest fee that spending the stake can cost.

    The fee is units x rate x p x (1 - p) = spent x rate x (1 - p), which no price can bring above stake x rate.
    """
    fee = to_major(stake_minor, currency) * rate
    return to_pay_minor(fee.quantize(FEE_STEP, rounding=ROUND_CEILING), currency)
