"""Going once through a chain of sources of prices, inside of the loop that calls: nothing here touches the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from apps.core import clock
from apps.core.errors import DeskError
from apps.core.progress import Progress, unheard
from apps.resilience import AllSourcesFailed, Cached, Loaded
from apps.sources import chains, http, screens
from apps.sources.calling import Journal
from apps.sources.chains import Chain
from apps.sources.errors import NotAtVendor, NotOffered, VendorAway
from apps.sources.gates import tickers as gate
from apps.sources.ports import Gathered
from apps.sources.registry import vendor_of
from apps.sources.screens import Kept, Quoted
from apps.sources.types import Rejected, TickerRecord

OPERATION = "tickers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One source that was asked: what its calls went through, how long it took, and what came of it."""

    source: str
    journal: Journal
    duration_s: float
    outcome: Gathered[TickerRecord] | DeskError


@dataclass(slots=True, kw_only=True)
class Round:
    """One round. `closed` says of sources that must not be asked why not; `called` is filled in for the fetch log;
    `progress` hears how many of the symbols have a price.
    """

    chain: Chain
    symbols: tuple[str, ...]
    closed: Mapping[str, str]
    progress: Progress = unheard
    has_loaded: bool = False
    called: list[Called] = field(default_factory=list)
    _last_good: Mapping[str, Decimal] = field(default_factory=dict)
    _doubted: dict[str, Decimal] = field(default_factory=dict)
    _brought: int = 0

    async def load(self, previous: Cached | None) -> Loaded:
        """Ask the chain, let older prices stand in for what is missing, and return the screen as bytes.

        Raises AllSourcesFailed when nobody brought anything.
        """
        self.has_loaded = True
        older = screens.unpacked(previous.value) if previous else None
        self._last_good = {symbol: one.ticker.price for symbol, one in older.quoted.items()} if older else {}
        gleaned = await chains.glean(self.chain, self.symbols, self._ask, closed=self.closed)
        quoted = {symbol: Quoted(source=source, ticker=ticker) for symbol, (source, ticker) in gleaned.tickers.items()}
        now = Kept(quoted=quoted, parts=tuple(gleaned.parts.values()))
        return Loaded(screens.packed(screens.merged(now, older, self.symbols)))

    def told(self, error: AllSourcesFailed) -> str:
        """Return in a line how it went with every source."""
        said = {slug: str(failure).removeprefix(f"{slug}: ") for slug, failure in error.failures.items()}
        return "; ".join(f"{slug}: {self.closed.get(slug) or said.get(slug, 'not asked')}" for slug in self.chain.sources)

    async def _ask(self, slug: str, symbols: Sequence[str]) -> Sequence[TickerRecord]:
        """Ask one source and return what is believed. Raises NotAtVendor when that is nothing."""
        journal, started_s = Journal(operation=OPERATION), clock.monotonic_s()
        outcome: Gathered[TickerRecord] | DeskError = VendorAway(f"{slug} did not answer in time")
        self._tell(slug, 0)
        try:
            outcome = self._judged(await _answer(slug, symbols, journal))
        except DeskError as error:
            outcome = error
            raise
        finally:
            duration_s = clock.monotonic_s() - started_s
            self.called.append(Called(source=slug, journal=journal, duration_s=duration_s, outcome=outcome))
        if not outcome.records:
            raise NotAtVendor(f"{slug} has no believable price of any of them")
        self._tell(slug, len(outcome.records))
        return outcome.records

    def _judged(self, gathered: Gathered[TickerRecord]) -> Gathered[TickerRecord]:
        """Take out the prices that are not believed, remembering them for the next source's answer."""
        faults = [(ticker, self._fault_of(ticker)) for ticker in gathered.records]
        self._doubted.update({ticker.symbol: ticker.price for ticker, fault in faults if fault})
        refused = tuple(
            Rejected(reason=fault, excerpt=f"{ticker.symbol} {ticker.price} {ticker.currency}", key=ticker.symbol)
            for ticker, fault in faults
            if fault
        )
        believed = tuple(ticker for ticker, fault in faults if not fault)
        return Gathered(records=believed, rejected=gathered.rejected + refused, complete=gathered.complete)

    def _fault_of(self, ticker: TickerRecord) -> str:
        last_good, doubted = self._last_good.get(ticker.symbol), self._doubted.get(ticker.symbol)
        return gate.fault_of(ticker, last_good=last_good, doubted=doubted, old_after=self.chain.old_after)

    def _tell(self, slug: str, brought: int) -> None:
        self._brought += brought
        self.progress(self._brought, len(self.symbols), f"asking {vendor_of(slug).name}")


async def _answer(slug: str, symbols: Sequence[str], journal: Journal) -> Gathered[TickerRecord]:
    vendor = vendor_of(slug)
    feed = vendor.tickers
    if feed is None:
        raise NotOffered(f"{slug} does not offer {OPERATION}")
    return await http.answered(http.Asking(vendor=vendor, journal=journal, question=lambda caller: feed(caller, symbols)))
