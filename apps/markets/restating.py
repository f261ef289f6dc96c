"""Whether a vendor's new word on final bars is believed; pure.

A whole answer on another scale, or with every moment moved by whole bars, is sound in itself: only the stored bars show
what is wrong with it. Final bars are restated honestly in two ways: a few are corrected (at most CORRECTED_MAX, or a
tenth of those that are compared), or all up to some day are multiplied by one ratio, as after a split. Anything else is
doubted, and so is a ratio of a hundred or ten thousand, which is cents taken for units.

Doubted answers change no stored bar. Bars newer than all stored ones are taken from them only where the scale is right
and the vendor has shown that it goes on: its newest known bars agree with the stored ones, or it has gone on for
GOES_ON_BARS. So a vendor that truly rewrote its past is followed again after a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median_low

CORRECTED_MAX = 3
CORRECTED_SHARE = 10  # one of so many
RATIO_SLACK = Decimal("0.001")  # relative; days without any move are rarer than that
ROUNDING = Decimal("0.00001")  # vendors' prices have six decimals at most
SCALES = (Decimal(100), Decimal(10_000))
SCALE_SLACK = Decimal("0.01")  # relative: the same bar twice, so nothing but rounding lies between them
AGREEING_BARS = 5
GOES_ON_BARS = 10
SHOWN_MAX = 5

Prices = tuple[Decimal, Decimal, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Compared:
    """One final bar as it is stored and as the vendor says it now; the last of the four prices is the close."""

    at: datetime
    stored: Prices
    said: Prices

    @property
    def is_changed(self) -> bool:
        """Tell whether any price differs."""
        return self.stored != self.said

    @property
    def ratio(self) -> Decimal | None:
        """The new close over the old one; None where one of them is not above zero."""
        old, new = self.stored[-1], self.said[-1]
        return new / old if old > 0 and new > 0 else None

    def is_times(self, ratio: Decimal) -> bool:
        """Tell whether all four prices are the stored ones times this ratio."""
        wanted = [price * ratio for price in self.stored]
        return all(abs(new - old) <= RATIO_SLACK * abs(old) + ROUNDING for old, new in zip(wanted, self.said, strict=True))


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an answer is not believed, what it shows of that, and whether its bars newer than all stored ones are."""

    reason: str
    excerpt: str
    keeps_newer: bool


def doubt_of(compared: Sequence[Compared], *, newer: int) -> Doubt | None:
    """Return the doubt about an answer, or None when it is believed.

    `compared` are the final bars that both sides have, oldest first; `newer` counts those past the newest stored one.
    """
    changed = [one for one in compared if one.is_changed]
    if sum(is_scale(one.ratio) for one in changed) * 2 > len(compared):
        return Doubt("scale: the answer stands ×100 or ×10,000 from what is stored", _shown(changed), keeps_newer=False)
    if len(changed) <= _corrected_max(compared):
        return None
    ratio = _common_ratio(changed)
    if ratio is not None and is_scale(ratio):
        return Doubt("scale: the past is ×100 or ×10,000 from what is stored", _shown(changed), keeps_newer=False)
    if ratio is not None and _deviants(compared, ratio) <= min(_corrected_max(compared), (len(changed) - 1) // 2):
        return None
    goes_on = newer >= GOES_ON_BARS or not any(one.is_changed for one in compared[-AGREEING_BARS:])
    return Doubt("restated: many final bars changed, and not by one ratio", _shown(changed), keeps_newer=goes_on)


def is_adjustment(compared: Sequence[Compared]) -> bool:
    """Tell whether an answer that is believed multiplies the past by one ratio, which a part of the history cannot show."""
    changed = sum(one.is_changed for one in compared)
    return changed > _corrected_max(compared) and doubt_of(compared, newer=0) is None


def is_scale(ratio: Decimal | None) -> bool:
    """Tell whether a ratio is a hundred or ten thousand, up or down."""
    if ratio is None:
        return False
    size = max(ratio, 1 / ratio)
    return any(abs(size - scale) <= SCALE_SLACK * scale for scale in SCALES)


def _corrected_max(compared: Sequence[Compared]) -> int:
    return max(CORRECTED_MAX, len(compared) // CORRECTED_SHARE)


def _common_ratio(changed: Sequence[Compared]) -> Decimal | None:
    ratios = [one.ratio for one in changed if one.ratio is not None]
    return median_low(ratios) if ratios else None


def _deviants(compared: Sequence[Compared], ratio: Decimal) -> int:
    """Count the bars that one ratio up to some day, and nothing after it, does not explain."""
    is_explained = [one.is_times(ratio) for one in compared]
    end = max((index for index, explained in enumerate(is_explained) if explained), default=-1) + 1
    return is_explained[:end].count(False) + sum(one.is_changed for one in compared[end:])


def _shown(changed: Sequence[Compared]) -> str:
    """Return the newest changed closes in words."""
    return "; ".join(f"{one.at.isoformat()}: {one.stored[-1]:f} became {one.said[-1]:f}" for one in changed[-SHOWN_MAX:])
