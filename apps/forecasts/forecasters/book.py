"""Binary markets with an order book: the price as consensus, and one opinion of our own.

The price is the mid of the combined book: an offer of the second outcome at `a` is a bid for the first at `1 - a`,
because the pair always pays 1. A missing side is bounded by what an outcome can pay, 0 or 1.

The opinion is the micro-price, moved a little further by the depth behind the touch:

    p_model = mid + h · (ρ_touch + τ · ρ_depth),   ρ = (bid units - ask units) / (bid units + ask units)

`h` is half the spread and `τ` the share of the market's life that is still to come. `mid + h · ρ_touch` is the micro-price
(S. Stoikov, "The micro-price: a high-frequency estimator of future prices", Quantitative Finance 18, 2018, first step of
its recursion). `ρ_depth` is the volume imbalance of the first levels (Á. Cartea, R. Donnelly, S. Jaimungal, "Enhancing
trading strategies with order book signals", Applied Mathematical Finance 25, 2018); it tells of moves that need time, so
it fades as the close comes near. The opinion never lies more than a spread away from the mid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MODEL = "book-microprice-1"
DEPTH_LEVELS = 5  # levels whose units count as depth; further ones are mostly parked orders
SPREAD_MAX = 0.10  # a wider book is no consensus
PLACEHOLDER_BID_MAX, PLACEHOLDER_ASK_MIN = 0.01, 0.99  # a venue's empty book
PAYOUT_MIN, PAYOUT_MAX = 0.0, 1.0
OPINION_CLIP = 0.001  # one tick of the finest venue: nobody is surer than that from a book

Rung = tuple[float, float]  # price, units


@dataclass(frozen=True, slots=True)
class Ladder:
    """The book of one outcome, best rung first on both sides, and how old it is."""

    bids: Sequence[Rung]
    asks: Sequence[Rung]
    age_s: float

    @property
    def bid(self) -> float:
        """The best bid, or the least that an outcome can pay."""
        return self.bids[0][0] if self.bids else PAYOUT_MIN

    @property
    def ask(self) -> float:
        """The best ask, or the most that an outcome can pay."""
        return self.asks[0][0] if self.asks else PAYOUT_MAX

    @property
    def is_placeholder(self) -> bool:
        """Whether nobody really quotes here."""
        return self.bid <= PLACEHOLDER_BID_MAX and self.ask >= PLACEHOLDER_ASK_MIN

    @property
    def is_two_sided(self) -> bool:
        """Whether both sides have a price and they do not cross."""
        return bool(self.bids) and bool(self.asks) and self.bid < self.ask

    def mirrored(self) -> Ladder:
        """Return the same book as seen from the other outcome."""
        bids = tuple((PAYOUT_MAX - price, units) for price, units in self.asks)
        asks = tuple((PAYOUT_MAX - price, units) for price, units in self.bids)
        return Ladder(bids, asks, self.age_s)


@dataclass(frozen=True, slots=True)
class Consensus:
    """What the market says of the first outcome; `age_s` is None when the price is only remembered."""

    price: float
    bid: float | None
    ask: float | None
    age_s: float | None
    is_stale: bool


def consensus(first: Ladder | None, second: Ladder | None, *, age_max_s: float, remembered: float | None) -> Consensus | None:
    """Return the price of the first outcome from the books of both, or None when there has never been one.

    A fresh tight book gives its mid. Otherwise an old tight book, or else the `remembered` price (the last mid that was
    believed), is used and flagged stale. Ages in seconds.
    """
    ladders = [ladder for ladder in (first, second.mirrored() if second else None) if ladder and not ladder.is_placeholder]
    fresh = _combined([ladder for ladder in ladders if ladder.age_s <= age_max_s], is_stale=False)
    found = fresh or _combined(ladders, is_stale=True)
    if found or remembered is None:
        return found
    return Consensus(remembered, None, None, None, is_stale=True)


def _combined(ladders: list[Ladder], *, is_stale: bool) -> Consensus | None:
    if not ladders:
        return None
    bid, ask = max(ladder.bid for ladder in ladders), min(ladder.ask for ladder in ladders)
    if ask - bid > SPREAD_MAX:
        return None
    return Consensus((bid + ask) / 2, bid, ask, min(ladder.age_s for ladder in ladders), is_stale)


def imbalance(bid_units: float, ask_units: float) -> float:
    """Return (bid - ask) / (bid + ask), in [-1, 1]; 0 when nothing is on offer."""
    total = bid_units + ask_units
    return (bid_units - ask_units) / total if total > 0 else 0.0


def opinion(first: Ladder | None, second: Ladder | None, *, life_left: float, age_max_s: float) -> float | None:
    """Return our probability of the first outcome, or None without a fresh, tight, two-sided book.

    `life_left` is the share of the market's life still to come, in [0, 1].
    """
    ladder = next((found for found in (first, second.mirrored() if second else None) if _is_telling(found, age_max_s)), None)
    if ladder is None:
        return None
    touch = imbalance(ladder.bids[0][1], ladder.asks[0][1])
    depth = imbalance(_units(ladder.bids), _units(ladder.asks))
    half_spread = (ladder.ask - ladder.bid) / 2
    moved = (ladder.bid + ladder.ask) / 2 + half_spread * (touch + min(max(life_left, 0.0), 1.0) * depth)
    return min(max(moved, OPINION_CLIP), 1 - OPINION_CLIP)


def _is_telling(ladder: Ladder | None, age_max_s: float) -> bool:
    if ladder is None or ladder.is_placeholder or not ladder.is_two_sided:
        return False
    return ladder.age_s <= age_max_s and ladder.ask - ladder.bid <= SPREAD_MAX


def _units(rungs: Sequence[Rung]) -> float:
    return sum(units for _, units in rungs[:DEPTH_LEVELS])
