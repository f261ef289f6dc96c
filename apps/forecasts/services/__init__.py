"""Deeds of this room: making forecasts and judging them."""

from apps.forecasts.services.forecasting import forecast_due, forecast_market
from apps.forecasts.services.judging import score_resolved
from apps.forecasts.services.storing import store_opinions
from apps.forecasts.services.weights import publish_first_weights

__all__ = ["forecast_due", "forecast_market", "publish_first_weights", "score_resolved", "store_opinions"]
