"""Several sources for one thing, as its readers think of it: who is asked first, who stands in, who is asked beside.

A chain that asks "first" goes from source to source for what is still missing, so that one answer may come from several
sources; one that asks "all" wants everybody's part. Pure of Django: `ask` brings the answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Literal

from apps.resilience import AllSourcesFailed, multi_source_fetch
from apps.sources.types import TickerRecord

PartState = Literal["answered", "failed", "not asked"]
Ask = Callable[[str, Sequence[str]], Awaitable[Sequence[TickerRecord]]]
NOT_NEEDED = "the others had all of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The sources of one thing in their order; each is given `timeout_s`. Prices older than `old_after` are not taken."""

    name: str
    sources: tuple[str, ...]
    mode: Literal["first", "all"] = "first"
    timeout_s: float = 20.0
    old_after: timedelta = timedelta(days=1)


# Each of these answers for many coins in a call or two: who has not by then is passed over.
CRYPTO = Chain(name="crypto", sources=("coincap", "binance", "coingecko"), timeout_s=8.0, old_after=timedelta(hours=1))
# A price of Friday is the price until Tuesday when Monday is a holiday.
STOCKS = Chain(name="stocks", sources=("yahoo", "alphavantage", "finnhub"), old_after=timedelta(days=5))
NEWS = Chain(name="news", sources=("newsapi", "google_news", "finnhub"), mode="all")
CHAINS: Mapping[str, Chain] = MappingProxyType({chain.name: chain for chain in (CRYPTO, STOCKS, NEWS)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one source did for an answer: how many things it brought, and when it did not, why."""

    source: str
    state: PartState
    brought: int = 0
    reason: str = ""
    duration_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Gleaned:
    """What a chain brought: each symbol's price with its source, every source's part in their order, and what failed."""

    tickers: dict[str, tuple[str, TickerRecord]] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)

    def failed(self, slug: str, error: Exception, duration_s: float = 0.0) -> None:
        """Note that a source brought nothing."""
        self.failures[slug] = error
        reason = str(error).removeprefix(f"{slug}: ")
        self.parts[slug] = Part(source=slug, state="failed", reason=reason, duration_s=duration_s)

    def brought(self, slug: str, tickers: Sequence[TickerRecord], duration_s: float) -> None:
        """Take in what a source brought; what another brought before it stands."""
        new = {ticker.symbol: (slug, ticker) for ticker in tickers if ticker.symbol not in self.tickers}
        self.tickers.update(new)
        self.parts[slug] = Part(source=slug, state="answered", brought=len(new), duration_s=duration_s)


async def glean(chain: Chain, symbols: Sequence[str], ask: Ask, *, closed: Mapping[str, str]) -> Gleaned:
    """Ask the chain's sources in turn for what is still missing and return what they brought.

    `closed` names the sources that must not be asked, with the reason. Raises AllSourcesFailed, naming each failure,
    when nobody brought anything.
    """
    gleaned = Gleaned(parts={slug: Part(source=slug, state="not asked", reason=closed.get(slug, "")) for slug in chain.sources})
    left = [slug for slug in chain.sources if slug not in closed]
    missing = tuple(symbols)
    while missing and left:
        left = await _after_next_answer(chain, left, missing, ask, gleaned)
        missing = tuple(symbol for symbol in missing if symbol not in gleaned.tickers)
    if not gleaned.tickers:
        raise AllSourcesFailed(gleaned.failures)
    for slug in left:
        gleaned.parts[slug] = Part(source=slug, state="not asked", reason=NOT_NEEDED)
    return gleaned


async def _after_next_answer(chain: Chain, slugs: Sequence[str], missing: Sequence[str], ask: Ask, gleaned: Gleaned) -> list[str]:
    """Take in the first answer of these sources and return those that were not asked for it."""
    try:
        outcome = await multi_source_fetch({slug: partial(ask, slug, missing) for slug in slugs}, timeout_s=chain.timeout_s)
    except AllSourcesFailed as error:
        for slug, failure in error.failures.items():
            gleaned.failed(slug, failure)
        return []
    for slug, failure in outcome.failures.items():
        gleaned.failed(slug, failure, outcome.outcomes[slug].duration_s)
    used = outcome.used[0]
    gleaned.brought(used, outcome.value, outcome.outcomes[used].duration_s)
    return list(slugs[slugs.index(used) + 1 :])
