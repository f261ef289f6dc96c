"""Having a market analysed in the light of its price and its news."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from apps.core.db import durable
from apps.markets import selectors as markets
from apps.markets.types import OutcomeView, Price
from apps.news import selectors
from apps.news.errors import UnknownOutcome
from apps.sources import services as sources

if TYPE_CHECKING:
    from apps.markets.types import MarketView
    from apps.sources.types import Analysis

ARTICLES_TOLD = 8


@durable
def analyse_market(*, market_id: str, now: datetime, by: str, outcome_id: str = "", force: bool = False) -> Analysis:
    """Return an analyst's text and probability for an outcome of a market (the first one when none is named).

    The analyst is told what anybody may know: the question, the price, the newest articles about it. Raises
    MarketNotFound, UnknownOutcome, and what `sources.services.analyse` raises.
    """
    market = markets.get_market(market_id)
    outcome = _outcome(market, outcome_id)
    return sources.analyse(
        question=market.question,
        outcome=outcome.label,
        background=_background(market, outcome),
        closes_at=market.closes_at,
        now=now,
        by=by,
        force=force,
    )


def _outcome(market: MarketView, outcome_id: str) -> OutcomeView:
    named = [outcome for outcome in market.outcomes if outcome.id == outcome_id or not outcome_id]
    if not named:
        raise UnknownOutcome(f"{market.id} has no outcome {outcome_id!r}", field="outcome_id")
    return named[0]


def _background(market: MarketView, outcome: OutcomeView) -> str:
    price = markets.latest_prices([outcome.id]).get(outcome.id)
    news = selectors.articles_of_market(market.id, limit=ARTICLES_TOLD)
    told = [
        f"{one.article.published_at:%Y-%m-%d %H:%M} UTC, {one.article.publisher}: {one.article.title}. {one.article.summary}"
        for one in news
    ]
    return "\n".join([_price_line(price), "News about it, newest first:" if told else "No news about it is known.", *told])


def _price_line(price: Price | None) -> str:
    if price is None:
        return "No price is known."
    return f"Price of this outcome at {price.confirmed_at:%Y-%m-%d %H:%M} UTC: bid {price.bid}, ask {price.ask} (1 is certainty)."
