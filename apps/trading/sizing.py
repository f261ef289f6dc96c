"""How much to stake and up to which price. Pure, in decimals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.markets.types import Level

ZERO, ONE = Decimal(0), Decimal(1)
PRICE_STEP = Decimal("0.0001")


def share_of_bankroll(share: Decimal, *, bankroll_minor: int, size_max_minor: int) -> int:
    """Return the stake in minor units, rounded down, never above `size_max_minor`."""
    stake = (share * max(0, bankroll_minor)).quantize(ONE, rounding=ROUND_FLOOR)
    return min(int(stake), size_max_minor)


def break_even_price(probability: Decimal, rate: Decimal, *, tick: Decimal) -> Decimal:
    """Return the highest price, rounded down to the tick, at which price and fee together do not exceed `probability`.

    It is the smaller root of p + rate x p x (1 - p) = probability.
    """
    price = probability
    if rate > ZERO:
        sum_ = ONE + rate
        price = (sum_ - (sum_ * sum_ - 4 * rate * probability).sqrt()) / (2 * rate)
    step = tick if tick > ZERO else PRICE_STEP
    return (price / step).quantize(ONE, rounding=ROUND_DOWN) * step


def money_on_offer(asks: Sequence[Level], *, limit: Decimal) -> Decimal:
    """Return what buying every unit on offer up to the limit costs, without fees."""
    return sum((level.price * level.units for level in asks if level.price <= limit), ZERO)


def least_stake(stake: Decimal, *, ask: Decimal, min_units: Decimal, step: Decimal) -> Decimal:
    """Return `stake`, or what the venue's fewest units cost at the ask when that is more, rounded up to `step`."""
    return max(stake, (min_units * ask).quantize(step, rounding=ROUND_CEILING))
