"""What buying a unit is worth, net of the ask and the fee: pure, in decimals.

The price that counts is the ask, which is what a buyer pays; the mid never enters an edge. The fee curve is the
venue's: rate · price · (1 - price) a unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

ONE = Decimal(1)
KELLY_SHARE = Decimal("0.25")  # a quarter: full Kelly assumes that p_model is exactly right
KELLY_CAP = Decimal("0.05")  # never more than this share of the bankroll on one market


def fee_per_unit(ask: Decimal, rate: Decimal) -> Decimal:
    """Return the taker's fee for one unit bought at `ask`."""
    return rate * ask * (ONE - ask)


def edge_net(p_model: Decimal, ask: Decimal, rate: Decimal) -> Decimal:
    """Return the expected profit of one unit: p_model - ask - fee."""
    return p_model - ask - fee_per_unit(ask, rate)


def chance_of(position: int, p_first: Decimal) -> Decimal:
    """Return the chance of the outcome at `position` (0 or 1) of a pair whose first has `p_first`."""
    return p_first if position == 0 else ONE - p_first


def model_side(p_model: Decimal, p_price: Decimal) -> int | None:
    """Return the position of the outcome that the model rates above the price; None when it has no opinion."""
    if p_model == p_price:
        return None
    return 0 if p_model > p_price else 1


def best_side(p_model: Decimal, asks: Sequence[Decimal | None], rate: Decimal) -> int | None:
    """Return the position whose net edge at its ask is the greatest, whatever its sign; None without any ask."""
    edges = {
        position: edge_net(chance_of(position, p_model), ask, rate) for position, ask in enumerate(asks[:2]) if ask is not None
    }
    return max(edges, key=lambda position: edges[position]) if edges else None


def kelly_fraction(p_model: Decimal, ask: Decimal, rate: Decimal) -> Decimal:
    """Return the share of the bankroll to stake: a quarter of Kelly's, capped; 0 without an edge.

    A unit costs c = ask + fee and pays 1 with chance p, so Kelly's share is (p - c) / (1 - c) (J. L. Kelly, "A new
    interpretation of information rate", Bell System Technical Journal 35, 1956).
    """
    cost = ask + fee_per_unit(ask, rate)
    if p_model <= cost or cost >= ONE:
        return Decimal(0)
    return min(KELLY_SHARE * (p_model - cost) / (ONE - cost), KELLY_CAP)
