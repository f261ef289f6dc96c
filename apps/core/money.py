"""Money as integers in minor units, and the way from and to decimals.

A currency has a fixed number of decimals; rounding is named at every conversion because who gains from it matters:
what we pay is rounded up, what we receive is rounded down.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

DECIMALS = {"USDC": 6, "USD": 2, "EUR": 2, "GBP": 2}


class UnknownCurrency(ValueError):
    """The desk keeps no books in this currency; add it to `DECIMALS` with its number of decimals."""


def decimals_of(currency: str) -> int:
    """Return how many decimals `currency` has. Raises UnknownCurrency."""
    try:
        return DECIMALS[currency]
    except KeyError:
        raise UnknownCurrency(currency) from None


def to_minor(amount: Decimal, currency: str, *, rounding: str = ROUND_HALF_EVEN) -> int:
    """Turn an amount of major units into minor units. Raises ValueError on NaN and infinity."""
    if not amount.is_finite():
        raise ValueError(f"not an amount: {amount}")
    return int(amount.scaleb(decimals_of(currency)).quantize(Decimal(1), rounding=rounding))


def to_pay_minor(amount: Decimal, currency: str) -> int:
    """Turn an amount that we pay into minor units, rounded up against us."""
    return to_minor(amount, currency, rounding=ROUND_CEILING)


def to_receive_minor(amount: Decimal, currency: str) -> int:
    """Turn an amount that we receive into minor units, rounded down against us."""
    return to_minor(amount, currency, rounding=ROUND_FLOOR)


def to_major(amount_minor: int, currency: str) -> Decimal:
    """Turn minor units into a decimal of major units, exactly."""
    return Decimal(amount_minor).scaleb(-decimals_of(currency))


def as_text(amount_minor: int, currency: str) -> str:
    """Write minor units as a plain decimal string with all decimals of the currency."""
    return f"{to_major(amount_minor, currency):.{decimals_of(currency)}f}"
