"""Judging forecasts once their market's result is known, and again when it is restated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import Exists, F, OuterRef

from apps.audit import services as audit
from apps.core.db import durable, only_one, transaction
from apps.core.progress import Progress, unheard
from apps.forecasts import selectors
from apps.forecasts.commitment import digest_of_inputs
from apps.forecasts.judgements import Said, marks
from apps.forecasts.models import Forecast, Judgement, Score
from apps.markets import selectors as markets

if TYPE_CHECKING:
    from apps.markets.types import MarketView, ResultView

RESULTS_MAX = 500  # results of one transaction
LATE_COMMIT = timedelta(minutes=15)  # no task lives so long: no result becomes visible later after its observed_at
SAID = ("p_final", "p_price", "p_model", "p_base", "value", "value_price")


class Waiting(NamedTuple):
    """A result that has not been judged."""

    id: str
    market_id: str
    kind: str
    observed_at: datetime


@durable
def score_resolved(*, now: datetime, by: str, progress: Progress = unheard) -> int:
    """Score every forecast made before the scheduled close of markets whose result is not judged yet.

    A restated result judges again (its scores are replaced), a void one leaves no scores. Returns how many scores were
    written; 0 at once when another process is at it. `progress` counts the results that are judged.
    """
    scored = judged = 0
    with only_one("forecasts.score") as is_ours:
        while is_ours and (waiting := _waiting()):
            scored += _judge(results=waiting, now=now, by=by)
            judged += len(waiting)
            progress(judged, None, f"{scored:,} scores")
    return scored


def _waiting() -> list[Waiting]:
    """Return results that are not judged, the oldest first; results long judged are not looked at again."""
    newest = selectors.newest_judgement_at()
    rows = markets.results_table().filter(~Exists(Judgement.objects.filter(result_id=OuterRef("id"))))
    rows = rows.filter(observed_at__gte=newest - LATE_COMMIT) if newest else rows
    found = rows.order_by("id").values_list("id", "market_id", "kind", "observed_at")
    return [Waiting(*values) for values in found[:RESULTS_MAX]]


@transaction
def _judge(*, results: Sequence[Waiting], now: datetime, by: str) -> int:
    """Score the markets of `results` by their newest revision, whichever of them were waiting."""
    market_ids = sorted({result.market_id for result in results})
    believed = markets.latest_results(market_ids=market_ids)
    asked = markets.markets_by_ids(market_ids)
    Score.objects.filter(market_id__in=market_ids).delete()
    scores = _scores([result for result in believed.values() if result.kind == "final"], now)
    Score.objects.bulk_create(scores, batch_size=RESULTS_MAX)
    counts = Counter(score.result_id for score in scores)
    judged: dict[str, ResultView | Waiting] = {entry.id: entry for entry in results}
    judged |= {entry.id: entry for entry in believed.values()}
    rows = [_judgement(entry, asked[entry.market_id], counts[entry.id], now) for entry in judged.values()]
    Judgement.objects.bulk_create(rows, ignore_conflicts=True)
    detail = {"results": len(results), "markets": len(market_ids), "scores": len(scores), "digest": _digest(scores)}
    audit.record(action="forecasts.scored", subject=f"results:{results[0].id}", by=by, now=now, detail=detail)
    return len(scores)


def _scores(results: Sequence[ResultView], now: datetime) -> list[Score]:
    by_market = {result.market_id: result for result in results}
    made = Forecast.objects.filter(market_id__in=by_market, as_of__lt=F("scheduled_close_at")).order_by("id")
    answered = made.filter(outcome_id__in={outcome_id for result in results for outcome_id in result.payouts})
    return [_score(forecast, by_market[forecast.market_id], now) for forecast in answered.defer("inputs").iterator()]


def _score(forecast: Forecast, result: ResultView, now: datetime) -> Score:
    payout = result.payouts[forecast.outcome_id]
    said = Said(*(getattr(forecast, name) for name in SAID))
    return Score(
        forecast_id=forecast.id,
        result_id=result.id,
        market_id=forecast.market_id,
        source=forecast.source,
        category=forecast.category,
        horizon=forecast.horizon,
        payout=payout,
        scored_at=now,
        **asdict(marks(said, payout)),
    )


def _judgement(result: ResultView | Waiting, market: MarketView, count: int, now: datetime) -> Judgement:
    return Judgement(
        result_id=result.id,
        market_id=market.id,
        source=market.source,
        category=market.category,
        kind=result.kind,
        payout=_first_payout(result, market),
        forecasts=count,
        observed_at=result.observed_at,
        judged_at=now,
    )


def _first_payout(result: ResultView | Waiting, market: MarketView) -> Decimal | None:
    """Return what the first outcome paid; None for void, linear and superseded results."""
    if isinstance(result, Waiting) or result.kind != "final" or market.pays != "binary" or not market.outcomes:
        return None
    return result.payouts.get(market.outcomes[0].id)


def _digest(scores: Sequence[Score]) -> str:
    return digest_of_inputs({score.forecast_id: [score.result_id, score.payout] for score in scores})
