"""Questions about forecasts and their scores; answers are frozen views, figures, or QuerySets of dicts for lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Avg, Count, F, FloatField, Q, QuerySet
from django.db.models.functions import Cast, Coalesce, Floor, Least, TruncDate

from apps.forecasts.commitment import COMMITTED, digest_of
from apps.forecasts.due import Inputs
from apps.forecasts.errors import ForecastNotFound, UnknownGrouping
from apps.forecasts.models import Forecast, Judgement, PoolWeights, Score
from apps.forecasts.scoring import BINS, Interval, clustered_interval
from apps.forecasts.types import CalibrationBin, ClosingPrice, Evidence, ForecastPoint, ForecastView, GroupScore

GROUPINGS = {"source": "source", "category": "category", "horizon": "horizon", "model": "forecast__model"}
BOOTSTRAP_SEED = 1973  # any fixed number: the same evidence must give the same verdict

Table = QuerySet[Any, Any]  # rows are dicts

VIEW_COLUMNS = tuple(entry.name for entry in fields(ForecastView))
POINT_COLUMNS = tuple(entry.name for entry in fields(ForecastPoint))

# One index lookup per market, however many forecasts each has.
LATEST_SQL = """
SELECT newest.*
FROM unnest(%s::text[]) AS wanted (market_id)
CROSS JOIN LATERAL (
    SELECT * FROM forecasts_forecast WHERE market_id = wanted.market_id ORDER BY as_of DESC LIMIT 1
) AS newest
"""

CLOSING_SQL = """
SELECT closing.market_id, closing.p_price, closing.as_of
FROM unnest(%s::text[]) AS wanted (market_id)
CROSS JOIN LATERAL (
    SELECT market_id, p_price, as_of FROM forecasts_forecast
    WHERE market_id = wanted.market_id AND as_of < scheduled_close_at AND p_price IS NOT NULL AND NOT is_price_stale
    ORDER BY as_of DESC LIMIT 1
) AS closing
"""


@dataclass(frozen=True, slots=True)
class LatestInputs:
    """What the last forecast of a market was made from, and the price it believed in."""

    inputs: Inputs
    believed_price: float | None


def latest_forecast(market_id: str) -> ForecastView:
    """Return the newest forecast of a market. Raises ForecastNotFound."""
    found = latest_forecasts([market_id])
    if market_id not in found:
        raise ForecastNotFound(market_id)
    return found[market_id]


def latest_forecasts(market_ids: Iterable[str]) -> dict[str, ForecastView]:
    """Return the newest forecast of each market that has one, by market id, in one query."""
    return {row.market_id: _as_view(row) for row in _latest_rows(market_ids)}


def latest_inputs(market_ids: Iterable[str]) -> dict[str, LatestInputs]:
    """Return what the newest forecast of each market was made from, by market id, in one query."""
    return {row.market_id: _as_inputs(row) for row in _latest_rows(market_ids)}


def _latest_rows(market_ids: Iterable[str]) -> list[Forecast]:
    wanted = list(market_ids)
    return list(Forecast.objects.raw(LATEST_SQL, [wanted])) if wanted else []


def _as_view(row: Forecast) -> ForecastView:
    return ForecastView(**{name: getattr(row, name) for name in VIEW_COLUMNS})


def _as_inputs(row: Forecast) -> LatestInputs:
    inputs = Inputs(row.inputs["key"], row.inputs["price"], row.as_of)
    return LatestInputs(inputs, float(row.p_price) if row.p_price is not None else None)


def get_forecast(forecast_id: str) -> ForecastView:
    """Return one forecast. Raises ForecastNotFound."""
    row = Forecast.objects.filter(id=forecast_id).first()
    if row is None:
        raise ForecastNotFound(forecast_id)
    return _as_view(row)


def forecasts_for_signals(*, now: datetime, age_max: timedelta, limit: int) -> tuple[ForecastView, ...]:
    """Return the newest forecast of each open market that has both a fresh price and an opinion of our own.

    Only forecasts younger than `age_max` of markets that close after `now`; at most `limit`.
    """
    fresh = Forecast.objects.filter(as_of__gte=now - age_max, as_of__lte=now, scheduled_close_at__gt=now, market__state="open")
    newest = fresh.order_by("market_id", "-as_of").distinct("market_id").values("id")
    telling = Forecast.objects.filter(id__in=newest, p_model__isnull=False, p_price__isnull=False, is_price_stale=False)
    return tuple(_as_view(row) for row in telling.order_by("market_id")[:limit])


def forecast_series(market_id: str, *, since: datetime, limit: int = 2_000) -> tuple[ForecastPoint, ...]:
    """Return the newest `limit` forecasts of a market since `since` as points of a chart, oldest first."""
    rows = Forecast.objects.filter(market_id=market_id, as_of__gte=since).order_by("-as_of")
    points = [ForecastPoint(*values) for values in rows.values_list(*POINT_COLUMNS)[:limit]]
    return tuple(reversed(points))


def closing_prices(market_ids: Iterable[str]) -> dict[str, ClosingPrice]:
    """Return the last fresh price of each market's first outcome before its scheduled close, by market id."""
    with connection.cursor() as cursor:
        cursor.execute(CLOSING_SQL, [list(market_ids)])
        return {market_id: ClosingPrice(market_id, price, as_of) for market_id, price, as_of in cursor.fetchall()}


def latest_age_s(*, now: datetime) -> float | None:
    """Return the age of the newest forecast in seconds, or None when none was ever made."""
    newest = Forecast.objects.order_by("-as_of").values_list("as_of", flat=True).first()
    return None if newest is None else (now - newest).total_seconds()


def markets_forecast_before_close() -> int:
    """Return how many markets were forecast before their scheduled close."""
    return Forecast.objects.filter(as_of__lt=F("scheduled_close_at")).aggregate(n=Count("market_id", distinct=True))["n"] or 0


def first_outcome_rates(sources: Iterable[str]) -> dict[tuple[str, str], tuple[float, int]]:
    """Return (sum of payouts, markets) of the first outcome of resolved binary markets, by (source, category)."""
    believed = Judgement.objects.filter(source__in=set(sources)).order_by("market_id", "-observed_at", "-result_id")
    rates: dict[tuple[str, str], tuple[float, int]] = {}
    for source, category, payout in believed.distinct("market_id").values_list("source", "category", "payout"):
        if payout is not None:
            paid, resolved = rates.get((source, category), (0.0, 0))
            rates[source, category] = (paid + float(payout), resolved + 1)
    return rates


def latest_weights(groups: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], PoolWeights]:
    """Return the newest published weights of each (source, category, horizon) that has some, in one query."""
    wanted = set(groups)
    rows = PoolWeights.objects.order_by("source", "category", "horizon", "-made_at").distinct("source", "category", "horizon")
    found = {(row.source, row.category, row.horizon): row for row in rows.filter(source__in={group[0] for group in wanted})}
    return {group: row for group, row in found.items() if group in wanted}


def evidence(*, source: str, category: str) -> Evidence:
    """Return what resolved questions of a group say about the model against the price, every event counting once."""
    judged = Score.objects.filter(source=source, category=category, log_loss_model__isnull=False, log_loss_price__isnull=False)
    gains = (
        judged.values("market__event_id")
        .annotate(gain=Avg(F("log_loss_price") - F("log_loss_model")))
        .order_by("market__event_id")
    )
    rows = list(gains.values_list("market__event_id", "gain"))
    if not rows:
        return Evidence(source, category, 0, 0, None, None, None)
    days = judged.aggregate(n=Count(TruncDate("forecast__scheduled_close_at"), distinct=True))["n"]
    said = interval([gain for _, gain in rows], [event_id for event_id, _ in rows])
    return Evidence(source, category, said.clusters, days or 0, said.mean, said.low, said.p_value)


def interval(values: Sequence[float], clusters: Sequence[str]) -> Interval:
    """Return the mean of `values` with its 95 % interval by clusters; the same input gives the same answer."""
    return clustered_interval(np.asarray(values, dtype=np.float64), clusters, rng=np.random.default_rng(BOOTSTRAP_SEED))


def evidence_groups() -> tuple[tuple[str, str], ...]:
    """Return every (source, category) whose markets have been forecast beside a price."""
    published = PoolWeights.objects.order_by("source", "category")
    return tuple(published.values_list("source", "category").distinct())


def score_groups(by: Sequence[str] = ("source", "category")) -> dict[str, GroupScore]:
    """Return mean scores by group, keyed by the names joined with a slash. Raises UnknownGrouping.

    Like is compared with like: where a group has prices, forecasts made without one are left out of the means (and counted in
    `n_without_price`), and the model is set beside the price of the same cases.
    """
    unknown = [name for name in by if name not in GROUPINGS]
    if unknown or not by:
        raise UnknownGrouping(f"cannot group by {', '.join(unknown) or 'nothing'}", field="by")
    names = [GROUPINGS[name] for name in by]
    priced = Q(brier_price__isnull=False)
    means = ("brier", "brier_price", "log_loss", "log_loss_price", "log_loss_model", "log_loss_base")
    rows = Score.objects.values(*names).annotate(
        n_all=Count("forecast_id"),
        n_judged=Count("brier"),
        n_priced=Count("forecast_id", filter=priced),
        n_model=Count("log_loss_model", filter=priced),
        markets=Count("market_id", distinct=True),
        mean_error=Avg("error"),
        mean_log_loss_price_beside_model=Avg("log_loss_price", filter=Q(log_loss_model__isnull=False)),
        **{f"mean_{name}": Coalesce(Avg(name, filter=priced), Avg(name)) for name in means},
    )
    return {"/".join(row[name] for name in names): _as_group(row) for row in rows.order_by(*names)}


def _as_group(row: dict[str, Any]) -> GroupScore:
    compared = row["n_priced"] or row["n_judged"] or row["n_all"]
    return GroupScore(
        n=compared,
        n_without_price=row["n_judged"] - row["n_priced"],
        n_model=row["n_model"],
        markets=row["markets"],
        brier=row["mean_brier"],
        brier_price=row["mean_brier_price"],
        log_loss=row["mean_log_loss"],
        log_loss_price=row["mean_log_loss_price"],
        log_loss_model=row["mean_log_loss_model"],
        log_loss_price_beside_model=row["mean_log_loss_price_beside_model"],
        log_loss_base=row["mean_log_loss_base"],
        error=row["mean_error"],
    )


def calibration(*, source: str = "", category: str = "", bins: int = BINS) -> tuple[CalibrationBin, ...]:
    """Return scored forecasts grouped by equal bins of p_final, empty bins left out."""
    judged = Score.objects.filter(brier__isnull=False)
    judged = judged.filter(source=source) if source else judged
    judged = judged.filter(category=category) if category else judged
    chance = Cast("forecast__p_final", FloatField())
    numbered = judged.annotate(number=Least(Floor(chance * bins), float(bins - 1), output_field=FloatField()))
    rows = numbered.values("number").annotate(n=Count("forecast_id"), said=Avg(chance), paid=Avg(Cast("payout", FloatField())))
    return tuple(
        CalibrationBin(row["number"] / bins, (row["number"] + 1) / bins, row["n"], row["said"], row["paid"])
        for row in rows.order_by("number")
    )


def count_scored() -> int:
    """Return how many forecasts have a score."""
    return Score.objects.count()


def count_judged_markets() -> int:
    """Return how many markets have had their forecasts judged by a result."""
    return Judgement.objects.aggregate(n=Count("market_id", distinct=True))["n"] or 0


def newest_judgement_at() -> datetime | None:
    """Return when the newest judged result was observed."""
    return Judgement.objects.order_by("-observed_at").values_list("observed_at", flat=True).first()


def recomputed_commitment(*, commitment: str, as_of: datetime) -> str:
    """Return the digest over the stored forecasts of a commitment; it equals `commitment` while nobody changed one."""
    rows = Forecast.objects.filter(as_of=as_of, commitment=commitment).values(*COMMITTED)
    return digest_of(rows)


def forecasts_table() -> Table:
    """List forecasts as dicts with the question they answer."""
    rows: Table = Forecast.objects.values(*VIEW_COLUMNS, "inputs", "market__question")
    return rows


def scores_table() -> Table:
    """List scores as dicts with the forecast they judge."""
    rows: Table = Score.objects.values(
        *("forecast_id", "result_id", "market_id", "market__question", "source", "category", "horizon", "payout", "brier"),
        *("brier_price", "log_loss", "log_loss_price", "log_loss_model", "log_loss_base", "error", "error_price", "scored_at"),
        *("forecast__as_of", "forecast__model", "forecast__p_final", "forecast__p_price", "forecast__value"),
    )
    return rows


def weights_table() -> Table:
    """List published weights as dicts."""
    return PoolWeights.objects.values("id", "source", "category", "horizon", "w", "b", "trained_on", "made_at")
