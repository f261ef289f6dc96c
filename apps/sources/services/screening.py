"""Screening: the prices of a list of symbols now, from a chain of sources, kept for those who ask again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from apps.core import clock
from apps.core.db import durable
from apps.core.errors import DeskError, NotFound
from apps.resilience import AllSourcesFailed, Cached, Loaded
from apps.sources import chains, http, screens, visits
from apps.sources.calling import Journal
from apps.sources.chains import Chain
from apps.sources.errors import NobodyAnswered, NotAtVendor, NotOffered, SourceClosed, VendorAway
from apps.sources.gates import tickers as gate
from apps.sources.ports import Gathered, Vendor
from apps.sources.registry import VENDORS
from apps.sources.screens import Kept, Order, Quoted, Screen
from apps.sources.services.fetching import _offered, _open_vendor
from apps.sources.types import Rejected, TickerRecord
from apps.sources.visits import Visit

OPERATION = "tickers"
Progress = Callable[[str, int], None]  # the source that is asked, and how many prices it brought so far


@durable
def screen(
    *,
    name: str,
    symbols: Sequence[str],
    now: datetime,
    by: str,
    force: bool = False,
    order: Order = "change",
    on_progress: Progress | None = None,
) -> Screen:
    """Return the prices of these symbols, ranked, each with its source and age.

    Young ones come from the cache and nobody is asked, unless `force`. The chain called `name` (crypto, stocks) is gone
    through for what is missing; what nobody brings is shown from better days, with its age. Raises NotFound for another
    chain, and NobodyAnswered when there is nothing to show.
    """
    chain = chains.CHAINS.get(name)
    if chain is None or chain.mode != "first":
        raise NotFound(f"there is no screen {name!r}")
    wanted = tuple(dict.fromkeys(symbols))
    round_ = _Round(chain=chain, symbols=wanted, now=now, by=by, on_progress=on_progress)
    round_.open_sources()
    try:
        cached = http.fetch_kept(screens.key_of(name, wanted), round_.load, rule=screens.RULE, force=force)
    except AllSourcesFailed as error:
        raise NobodyAnswered(f"nobody has prices of {name}: {round_.told(error)}", retry_after_s=error.retry_after_s) from error
    finally:
        round_.write_down()
    return _screen(chain, wanted, cached, order=order, now=max(now, clock.now()), is_cached=not round_.has_loaded)


@dataclass(slots=True, kw_only=True)
class _Round:
    """One going through a chain. The loader runs in the loop of calls; the trace is written afterwards, outside of it."""

    chain: Chain
    symbols: tuple[str, ...]
    now: datetime
    by: str
    on_progress: Progress | None
    vendors: dict[str, Vendor] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    has_loaded: bool = False
    last_good: Mapping[str, Decimal] = field(default_factory=dict)
    doubted: dict[str, Decimal] = field(default_factory=dict)
    trace: list[tuple[Visit, Gathered[TickerRecord] | DeskError]] = field(default_factory=list)

    def open_sources(self) -> None:
        """Find out which sources may be asked, and why the others may not."""
        for slug in self.chain.sources:
            try:
                vendor = _open_vendor(slug, now=self.now, by=self.by)
                _offered(vendor, vendor.tickers, OPERATION)
                self.vendors[slug] = vendor
            except (SourceClosed, NotOffered) as error:
                self.closed[slug] = str(error)

    async def load(self, previous: Cached | None) -> Loaded:
        """Ask the chain, let older prices stand in for what is missing, and return the screen as bytes."""
        self.has_loaded = True
        older = screens.unpacked(previous.value) if previous else None
        self.last_good = {symbol: one.ticker.price for symbol, one in older.quoted.items()} if older else {}
        gleaned = await chains.glean(self.chain, self.symbols, self._ask, closed=self.closed)
        quoted = {symbol: Quoted(source=source, ticker=ticker) for symbol, (source, ticker) in gleaned.tickers.items()}
        fresh = Kept(quoted=quoted, parts=tuple(gleaned.parts.values()))
        return Loaded(screens.packed(screens.merged(fresh, older, self.symbols)))

    def told(self, error: AllSourcesFailed) -> str:
        """Return in a line how it went with every source."""
        said = {slug: str(failure) for slug, failure in error.failures.items()}
        return "; ".join(f"{slug}: {self.closed.get(slug) or said.get(slug, 'not asked')}" for slug in self.chain.sources)

    def write_down(self) -> None:
        """Write the trace of every source that was called."""
        for visit, outcome in self.trace:
            if isinstance(outcome, DeskError):
                visits.note_failure(visit, outcome)
            elif visit.journal.calls:
                visits.note_success(visit, outcome)

    async def _ask(self, slug: str, symbols: Sequence[str]) -> Sequence[TickerRecord]:
        """Ask one source and return what is believed. Raises NotAtVendor when that is nothing."""
        vendor, journal, started_s = self.vendors[slug], Journal(operation=OPERATION), clock.monotonic_s()
        feed = _offered(vendor, vendor.tickers, OPERATION)
        self._tell(slug, 0)
        outcome: Gathered[TickerRecord] | DeskError = VendorAway(f"{slug} did not answer in time")
        try:
            asking = http.Asking(vendor=vendor, journal=journal, question=lambda caller: feed(caller, symbols))
            outcome = self._judged(await http.answered(asking))
        except DeskError as error:
            outcome = error
            raise
        finally:
            duration_s = clock.monotonic_s() - started_s
            visit = Visit(source=slug, journal=journal, duration_s=duration_s, now=self.now, by=self.by)
            self.trace.append((visit, outcome))
        if not outcome.records:
            raise NotAtVendor(f"{slug} has no believable price of any of them")
        self._tell(slug, len(outcome.records))
        return outcome.records

    def _judged(self, gathered: Gathered[TickerRecord]) -> Gathered[TickerRecord]:
        """Take out the prices that are not believed, remembering them for the next source's answer."""
        believed, refused = [], []
        for ticker in gathered.records:
            fault = gate.fault_of(
                ticker,
                last_good=self.last_good.get(ticker.symbol),
                doubted=self.doubted.get(ticker.symbol),
                old_after=self.chain.old_after,
            )
            if not fault:
                believed.append(ticker)
                continue
            self.doubted[ticker.symbol] = ticker.price
            refused.append(Rejected(reason=fault, excerpt=f"{ticker.symbol} {ticker.price} {ticker.currency}", key=ticker.symbol))
        rejected = gathered.rejected + tuple(refused)
        return Gathered(records=tuple(believed), rejected=rejected, complete=gathered.complete)

    def _tell(self, slug: str, brought: int) -> None:
        if self.on_progress is not None:
            self.on_progress(VENDORS[slug].name, brought)


def _screen(chain: Chain, symbols: Sequence[str], cached: Cached, *, order: Order, now: datetime, is_cached: bool) -> Screen:
    kept = screens.unpacked(cached.value)
    if kept is None:
        raise NobodyAnswered(f"what is kept of {chain.name} cannot be read; ask with a forced refresh")
    return Screen(
        name=chain.name,
        rows=screens.ranked(kept, order=order, now=now),
        missing=tuple(symbol for symbol in symbols if symbol not in kept.quoted),
        parts=kept.parts,
        is_cached=is_cached,
        age_s=cached.age_s,
        reason=cached.reason,
    )
