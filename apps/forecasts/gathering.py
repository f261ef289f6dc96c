"""What a batch of forecasts needs, read in a fixed number of queries however many markets there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from django.conf import settings

from apps.forecasts import selectors
from apps.forecasts.due import Inputs, Rule, due
from apps.forecasts.forecasters.book import Ladder, Rung
from apps.forecasts.forecasters.thresholds import Fit, Series, fit
from apps.forecasts.opinions import BarsQuestion, BookQuestion
from apps.markets import selectors as markets

if TYPE_CHECKING:
    from apps.markets.types import Bar, Book, Level, MarketView, Price

PRICE_AGE_MAX = timedelta(minutes=5)  # a book nobody has confirmed for longer is stale
AGE_FLOOR = timedelta(seconds=5)  # however fast the world plays: our own clocks tick once a second and miss a few
HISTORY_BARS = 750  # three trading years: enough for the tail, short enough to be of this age
SPACING_BARS = 20  # bars over which the pace of an instrument is measured


@dataclass(frozen=True, slots=True)
class Questions:
    """The markets of a batch that are due, with everything their forecasters ask for."""

    booked: tuple[BookQuestion, ...]
    rolled: tuple[BarsQuestion, ...]

    @property
    def markets(self) -> list[MarketView]:
        """The markets asked about."""
        return [question.market for question in self.booked] + [question.market for question in self.rolled]


def rule() -> Rule:
    """Return the desk's rule of when a forecast is due."""
    return Rule(settings.PREDICTION_CACHE_TTL_MINUTES, settings.PREDICTION_CACHE_PRICE_THRESHOLD, settings.SCHEDULE_SPEED)


def price_age_max_s() -> float:
    """Return the age in seconds at which a price is stale in this world."""
    return in_this_world(PRICE_AGE_MAX).total_seconds()


def in_this_world(age: timedelta) -> timedelta:
    """Return an age of life as one of the world that we run in, not below what our own clocks can tell apart."""
    return max(age / float(settings.SCHEDULE_SPEED), AGE_FLOOR)


def gather(open_markets: Sequence[MarketView], *, now: datetime, force: bool = False) -> Questions:
    """Return the questions that are due among `open_markets`."""
    last = selectors.latest_inputs([market.id for market in open_markets])
    booked = [market for market in open_markets if market.instrument_id is None]
    rolled = [market for market in open_markets if market.instrument_id is not None]
    return Questions(_booked(booked, last, now, force), _rolled(rolled, last, now, force))


def _booked(
    found: list[MarketView], last: Mapping[str, selectors.LatestInputs], now: datetime, force: bool
) -> tuple[BookQuestion, ...]:
    prices = markets.latest_prices(outcome.id for market in found for outcome in market.outcomes)
    asked = {market.id: _inputs_of_book(market, prices, now) for market in found}
    chosen = [market for market in found if _is_due(market, last, asked[market.id], force)]
    books = markets.latest_books(outcome.id for market in chosen for outcome in market.outcomes)
    return tuple(_book_question(market, asked[market.id], prices, books, last.get(market.id)) for market in chosen)


def _is_due(market: MarketView, last: Mapping[str, selectors.LatestInputs], present: Inputs, force: bool) -> bool:
    known = last.get(market.id)
    reason = due(known.inputs if known else None, present, closes_at=market.closes_at, rule=rule(), force=force)
    return reason is not None


def _inputs_of_book(market: MarketView, prices: Mapping[str, Price], now: datetime) -> Inputs:
    quoted = [prices[outcome.id] for outcome in market.outcomes if outcome.id in prices]
    key = " ".join(f"{price.outcome_id}:{price.digest}" for price in quoted) or "no book"
    return Inputs(key, _rough_price(market, prices), now)


def _rough_price(market: MarketView, prices: Mapping[str, Price]) -> float | None:
    """Return the mid of the first outcome's own quotes: good enough to see a move."""
    first = prices.get(market.outcomes[0].id) if market.outcomes else None
    if first is None or first.bid is None or first.ask is None:
        return None
    return float(first.bid + first.ask) / 2


def _book_question(
    market: MarketView,
    asked: Inputs,
    prices: Mapping[str, Price],
    books: Mapping[str, Book],
    last: selectors.LatestInputs | None,
) -> BookQuestion:
    ladders = [_ladder(books.get(outcome.id), prices.get(outcome.id), asked.at) for outcome in market.outcomes[:2]]
    quotes = {outcome.label: prices[outcome.id].quote_id for outcome in market.outcomes if outcome.id in prices}
    return BookQuestion(
        market=market,
        key=asked.key,
        price=asked.price,
        first=ladders[0] if ladders else None,
        second=ladders[1] if len(market.outcomes) == 2 else None,
        remembered=last.believed_price if last else None,
        quotes={"quotes": quotes},
    )


def _ladder(book: Book | None, price: Price | None, now: datetime) -> Ladder | None:
    if book is None or price is None:
        return None
    age_s = max((now - price.confirmed_at).total_seconds(), 0.0)
    return Ladder(_rungs(book.bids), _rungs(book.asks), age_s)


def _rungs(levels: Iterable[Level]) -> tuple[Rung, ...]:
    return tuple((float(level.price), float(level.units)) for level in levels)


def _rolled(
    found: list[MarketView], last: Mapping[str, selectors.LatestInputs], now: datetime, force: bool
) -> tuple[BarsQuestion, ...]:
    by_instrument: dict[str, list[MarketView]] = {}
    for market in found:
        by_instrument.setdefault(market.instrument_id or "", []).append(market)
    questions: list[BarsQuestion] = []
    for instrument_id, group in by_instrument.items():
        newest = _final(markets.bars(instrument_id, limit=2))
        chosen = [market for market in group if newest and _is_due(market, last, _inputs_of_bar(newest[-1], now), force)]
        if chosen:
            questions += _of_instrument(_final(markets.bars(instrument_id, limit=HISTORY_BARS)), chosen)
    return tuple(questions)


def _final(bars: Iterable[Bar]) -> list[Bar]:
    return [bar for bar in bars if bar.is_final]


def _inputs_of_bar(bar: Bar, now: datetime) -> Inputs:
    return Inputs(f"bar {bar.closes_at.isoformat()} {bar.close}", float(bar.close), now)


def _of_instrument(history: list[Bar], chosen: list[MarketView]) -> list[BarsQuestion]:
    """Fit once per number of bars ahead; every market of the instrument shares the fits."""
    series = Series(*(np.array([float(getattr(bar, side)) for bar in history]) for side in ("close", "high", "low")))
    asked = _inputs_of_bar(history[-1], history[-1].closes_at)
    fits: dict[int, Fit | None] = {}
    questions = []
    for market in chosen:
        ahead = bars_left(market, history)
        if ahead not in fits:
            fits[ahead] = fit(series, ahead=ahead)
        questions.append(BarsQuestion(market=market, key=asked.key, price=series.last, fitted=fits[ahead], bars_left=ahead))
    return questions


def bars_left(market: MarketView, history: Sequence[Bar]) -> int:
    """Return how many bars still come until the market's close, from the mean pace of the last bars; at least 1.

    The mean counts nights and weekends in, as the calendar between now and the close does.
    """
    recent = history[-SPACING_BARS - 1 :]
    if len(recent) < 2:
        return market.horizon_bars or 1
    pace = (recent[-1].closes_at - recent[0].closes_at) / (len(recent) - 1)
    ahead = round((market.closes_at - recent[-1].closes_at) / pace)
    return max(1, min(ahead, market.horizon_bars or ahead))
