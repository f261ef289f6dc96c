"""Storing a batch of opinions and committing it to the audit log, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from apps.audit import services as audit
from apps.core import bell
from apps.core.db import transaction
from apps.forecasts.commitment import COMMITTED, digest_of, digest_of_inputs
from apps.forecasts.horizons import horizon_of
from apps.forecasts.models import Forecast
from apps.forecasts.opinions import Opinion

CHANCES = ("p_model", "p_price", "p_base", "p_final", "p_low", "p_high", "bid", "ask")
VALUES = ("value", "value_low", "value_high", "value_price")
BATCH_ROWS = 500
LAST_DIGIT = Decimal("0.0000000001")


@transaction
def store_opinions(*, opinions: Sequence[Opinion], seed: int, by: str, now: datetime) -> int:
    """Append one forecast per opinion and write one audit event with their number and the digest over them.

    The event is the commitment: it is in the chain before any outcome is known. Rings for signals after the commit.
    Returns how many were stored; nothing at all happens for none.
    """
    if not opinions:
        return 0
    rows = [_as_row(opinion, seed, now) for opinion in opinions]
    commitment = digest_of([{name: getattr(row, name) for name in COMMITTED} for row in rows])
    for row in rows:
        row.commitment = commitment
    Forecast.objects.bulk_create(rows, batch_size=BATCH_ROWS)
    detail = {"count": len(rows), "digest": commitment, "as_of": now, "first": rows[0].id, "last": rows[-1].id}
    audit.record(action="forecasts.committed", subject=f"forecasts:{commitment[:16]}", by=by, now=now, detail=detail)
    bell.ring("tasks.signal.generate")
    return len(rows)


def _as_row(opinion: Opinion, seed: int, now: datetime) -> Forecast:
    market = opinion.market
    inputs: dict[str, Any] = {"key": opinion.key, "price": opinion.price, "seed": seed, **opinion.evidence}
    return Forecast(
        market_id=market.id,
        outcome_id=market.outcomes[0].id,
        as_of=now,
        source=market.source,
        category=market.category,
        horizon=horizon_of(market.closes_at - now, speed=settings.SCHEDULE_SPEED),
        model=opinion.model,
        price_age_s=opinion.price_age_s,
        is_price_stale=opinion.is_price_stale,
        scheduled_close_at=market.closes_at,
        inputs=inputs,
        inputs_digest=digest_of_inputs(inputs),
        weights_id=opinion.weights_id,
        **{name: _as_decimal(getattr(opinion, name)) for name in CHANCES + VALUES},
    )


def _as_decimal(number: float | None) -> Decimal | None:
    """Keep ten decimals, as the column does."""
    return None if number is None else Decimal(repr(number)).quantize(LAST_DIGIT)
