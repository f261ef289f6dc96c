"""Yahoo's chart answer as it is on the wire, read strictly.

Built from public descriptions of the format. Its habits: one array for each field with a null where a bar has no
value, prices as floats with noise in the last digits, moments as whole seconds, errors inside `chart.error` (or
`finance.error`, with 401, when it would rather see a browser). Bars are adjusted for splits, not for dividends, and the
last close is `chartPreviousClose` of a chart of one day; `previousClose` is there at times only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.strict import Row, excerpt_of, moment_of_seconds, parse_json

FIELDS = ("open", "high", "low", "close", "volume")
BARS_MAX = 50_000
PRICE_DECIMALS = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class WireMeta:
    """What the answer says about the instrument."""

    symbol: str
    name: str
    currency: str
    instrument_type: str
    exchange: str
    session_ends_at: datetime | None
    price: Decimal | None
    last_close: Decimal | None
    volume: Decimal | None
    traded_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WireChart:
    """The instrument and its raw bars: one mapping for each timestamp, values as parsed."""

    meta: WireMeta
    bars: tuple[dict[str, object], ...]


def read_chart(body: bytes) -> WireChart:
    """Read a chart answer. Raises BadAnswer when its frame is not what it should be."""
    value = parse_json(body)
    try:
        chart = Row(value).row("chart")
        if chart.has("error"):
            raise BadAnswer("the vendor reports an error", excerpt=excerpt_of(body))
        result = Row(_first(chart.items("result"), "result"))
        return WireChart(meta=_meta(result.row("meta")), bars=_bars(result))
    except BadRow as error:
        raise BadAnswer(f"the chart is not believable: {error.reason}", excerpt=excerpt_of(body)) from error


def _first(values: Sequence[object], name: str) -> object:
    if not values:
        raise BadRow(f"{name} is empty")
    return values[0]


def _meta(row: Row) -> WireMeta:
    symbol = row.text("symbol", length_max=40)
    return WireMeta(
        symbol=symbol,
        name=row.text_or("longName", row.text_or("shortName", symbol), length_max=300),
        currency=row.text_or("currency", "", length_max=10),
        instrument_type=row.text("instrumentType", length_max=40),
        exchange=row.text_or("exchangeName", "", length_max=40),
        session_ends_at=_session_end(row),
        price=_price(row, "regularMarketPrice"),
        last_close=_price(row, "previousClose") or _price(row, "chartPreviousClose"),
        volume=row.number("regularMarketVolume", low=Decimal(0)) if row.has("regularMarketVolume") else None,
        traded_at=row.seconds_moment("regularMarketTime") if row.has("regularMarketTime") else None,
    )


def _price(row: Row, name: str) -> Decimal | None:
    """Return a price without the float's noise, or None where the vendor has none: it writes zero then, or leaves it out."""
    if not row.has(name):
        return None
    return row.number(name, low=Decimal(0)).quantize(PRICE_DECIMALS) or None


def _session_end(meta: Row) -> datetime | None:
    """Return the end of the present trading session, or the last trade's moment where none is given."""
    if meta.has("currentTradingPeriod"):
        period = meta.row("currentTradingPeriod")
        if period.has("regular"):
            return period.row("regular").seconds_moment("end")
    return meta.seconds_moment("regularMarketTime") if meta.has("regularMarketTime") else None


def _bars(result: Row) -> tuple[dict[str, object], ...]:
    if not result.has("timestamp"):
        return ()
    times = result.items("timestamp")
    if len(times) > BARS_MAX:
        raise BadRow(f"more than {BARS_MAX} bars")
    quote = _first(result.row("indicators").items("quote"), "indicators.quote")
    columns = _columns(Row(quote), len(times))
    return tuple(
        {"timestamp": moment, **{name: column[index] for name, column in columns.items()}} for index, moment in enumerate(times)
    )


def _columns(quote: Row, count: int) -> dict[str, Sequence[object]]:
    columns = {name: quote.items(name) for name in FIELDS if quote.has(name)}
    for name, column in columns.items():
        if len(column) != count:
            raise BadRow(f"{name} has {len(column)} values for {count} timestamps")
    return columns


def has_prices(bar: dict[str, object]) -> bool:
    """Return whether a bar has all four prices; days without trade are nulls, not errors."""
    return all(bar.get(name) is not None for name in ("open", "high", "low", "close"))


def bar_moment(bar: dict[str, object]) -> datetime:
    """Return the moment of a bar. Raises BadRow."""
    return moment_of_seconds(bar.get("timestamp"), "timestamp")


def bar_price(bar: dict[str, object], name: str) -> Decimal:
    """Return one price of a bar without the float's noise. Raises BadRow."""
    return Row(bar).number(name, low=PRICE_DECIMALS).quantize(PRICE_DECIMALS)


def bar_volume(bar: dict[str, object]) -> Decimal | None:
    """Return the volume of a bar, or None when the vendor has none. Raises BadRow."""
    return Row(bar).number("volume", low=Decimal(0)) if bar.get("volume") is not None else None
