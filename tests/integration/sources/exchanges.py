"""All windows of coins and shares on one scripted upstream, each with its own mood."""

from __future__ import annotations

import json
from typing import Any

from tests.factories import prices
from tests.integration.sources.upstream import Answer, Question, Upstream

COINS = {"BTC": 50_000, "ETH": 2_500, "SOL": 100}
SHARES = {"AAPL": 210.5, "MSFT": 400.25, "NVDA": 120.0}


class Exchanges:
    """Answers as six vendors do. `moods` replaces a vendor's answers; `lacks` are symbols that a vendor does not have."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.moods: dict[str, Answer] = {}
        self.lacks: dict[str, set[str]] = {}
        self.factor: dict[str, int] = {}
        upstream.script = self.answer

    def asked(self, slug: str) -> int:
        """Return how often a vendor was asked."""
        return sum(question.path.startswith(f"/{slug}/") for question in self.upstream.questions)

    def answer(self, question: Question) -> Answer:
        slug = question.path.split("/")[1]
        if slug in self.moods:
            return self.moods[slug]
        status, value = getattr(self, f"_{slug}")(question)
        return Answer(json.dumps(value).encode(), status)

    def has(self, slug: str, known: dict[str, Any]) -> dict[str, Any]:
        factor = self.factor.get(slug, 1)
        return {symbol: price * factor for symbol, price in known.items() if symbol not in self.lacks.get(slug, set())}

    def _coincap(self, question: Question) -> tuple[int, Any]:
        ids = dict(question.query)["ids"].split(",")
        coins = [prices.coincap_coin(symbol, str(price)) for symbol, price in self.has("coincap", COINS).items()]
        return 200, prices.coincap_answer(*(coin for coin in coins if coin["id"] in ids))

    def _coingecko(self, question: Question) -> tuple[int, Any]:
        ids = dict(question.query)["ids"].split(",")
        coins = [prices.coingecko_coin(symbol, price) for symbol, price in self.has("coingecko", COINS).items()]
        return 200, [coin for coin in coins if coin["id"] in ids]

    def _binance(self, question: Question) -> tuple[int, Any]:
        tickers = {f"{s}USDT": prices.binance_ticker(s, str(price)) for s, price in self.has("binance", COINS).items()}
        asked = json.loads(dict(question.query).get("symbols", "[]")) or list(tickers)
        if any(pair not in tickers for pair in asked):
            return 400, prices.BINANCE_1121
        return 200, [tickers[pair] for pair in asked]

    def _yahoo(self, question: Question) -> tuple[int, Any]:
        symbol, shares = question.path.rpartition("/")[2], self.has("yahoo", SHARES)
        if symbol not in shares:
            return 404, {"chart": {"result": None, "error": {"code": "Not Found"}}}
        return 200, prices.yahoo_now(symbol, shares[symbol])

    def _alphavantage(self, question: Question) -> tuple[int, Any]:
        symbol, shares = dict(question.query)["symbol"], self.has("alphavantage", SHARES)
        return 200, prices.alphavantage_quote(symbol, str(shares[symbol])) if symbol in shares else {"Global Quote": {}}

    def _finnhub(self, question: Question) -> tuple[int, Any]:
        if question.path.endswith("news"):
            return 200, []
        symbol, shares = dict(question.query)["symbol"], self.has("finnhub", SHARES)
        return 200, prices.finnhub_quote(shares[symbol]) if symbol in shares else prices.finnhub_quote(0, t=0, pc=0)
