"""One forecast against what happened: pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from apps.forecasts.scoring import brier, log_loss


@dataclass(frozen=True, slots=True)
class Said:
    """What a forecast said, and the prices that it stood beside; a linear one has values instead of chances."""

    p_final: Decimal | None
    p_price: Decimal | None
    p_model: Decimal | None
    p_base: Decimal | None
    value: Decimal | None
    value_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Marks:
    """The scores of one forecast; None where it said nothing of the kind."""

    brier: float | None
    brier_price: float | None
    log_loss: float | None
    log_loss_price: float | None
    log_loss_model: float | None
    log_loss_base: float | None
    error: float | None
    error_price: float | None


def marks(said: Said, payout: Decimal) -> Marks:
    """Judge a forecast by the payout of its outcome (binary), or by the closing price (linear)."""
    if said.value is not None:
        return Marks(*(None,) * 6, _relative(said.value, payout, said), _relative(said.value_price, payout, said))
    paid = float(payout)
    return Marks(
        brier=_brier(said.p_final, paid),
        brier_price=_brier(said.p_price, paid),
        log_loss=_log_loss(said.p_final, paid),
        log_loss_price=_log_loss(said.p_price, paid),
        log_loss_model=_log_loss(said.p_model, paid),
        log_loss_base=_log_loss(said.p_base, paid),
        error=None,
        error_price=None,
    )


def _brier(chance: Decimal | None, paid: float) -> float | None:
    return None if chance is None else brier(float(chance), paid)


def _log_loss(chance: Decimal | None, paid: float) -> float | None:
    return None if chance is None else log_loss(float(chance), paid)


def _relative(value: Decimal | None, payout: Decimal, said: Said) -> float | None:
    """Return (forecast - outcome) / price of the instant."""
    if value is None or not said.value_price:
        return None
    return float((value - payout) / said.value_price)
