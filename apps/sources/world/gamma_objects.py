"""Gamma's market and event objects, field for field and type for type as the vendor sends them.

JSON sits inside strings (`outcomes`, `outcomePrices`, `clobTokenIds`), `volume` is a string and `volumeNum` a number,
and some fields appear only when there is something to say (`bestBid`, `closedTime`, `umaResolutionStatus`). The
recording has no trades: volumes are 0 and the last trade price is the latest mid, rounded to the tick.
"""

from __future__ import annotations

import json
from hashlib import sha256

from apps.sources.world.answers import as_number
from apps.sources.world.gamma_terms import (
    DESCRIPTION,
    EVENT_FLAGS,
    EVENT_ID_OFFSET,
    FLAGS,
    NO_VOLUME,
    RESOLUTION_SOURCE,
    SLOT_S,
    TERMS,
    Wire,
)
from apps.sources.world.recording import RecordedMarket, Snapshot, Track
from apps.sources.world.timeline import Timeline, as_iso, as_postgres


def market_id(market: RecordedMarket) -> str:
    """Return the vendor's number of a market: ascending in time, always the same."""
    return str(market.starts_ms // 1000 // SLOT_S)


def event_id(market: RecordedMarket) -> str:
    """Return the vendor's number of the market's event."""
    return str(market.starts_ms // 1000 // SLOT_S - EVENT_ID_OFFSET)


def market_object(market: RecordedMarket, at_ms: int, timeline: Timeline) -> Wire:
    """Build one market as Gamma shows it at `at_ms`, without its event."""
    return {
        **_identity(market),
        **FLAGS,
        **TERMS,
        **NO_VOLUME,
        **_times(market, at_ms, timeline),
        **_prices(market, at_ms),
        **_liquidity(market, at_ms),
        **_state(market, at_ms, timeline),
    }


def event_summary(market: RecordedMarket, at_ms: int, timeline: Timeline) -> Wire:
    """Build the event as it is nested in a market: no markets, no tags."""
    liquidity = _resting(market, at_ms)
    opened = as_iso(timeline.wire_ms(market.opens_ms))
    return {
        **EVENT_FLAGS,
        "id": event_id(market),
        "ticker": market.slug,
        "slug": market.slug,
        "title": market.question,
        "description": DESCRIPTION,
        "resolutionSource": RESOLUTION_SOURCE,
        "icon": "",
        "image": "",
        "startDate": opened,
        "creationDate": opened,
        "createdAt": opened,
        "startTime": as_iso(timeline.wire_ms(market.starts_ms)),
        "endDate": as_iso(timeline.wire_ms(market.ends_ms)),
        "updatedAt": as_iso(timeline.wire_ms(_changed_ms(market, at_ms))),
        "closed": at_ms >= market.closes_ms,
        "liquidity": liquidity,
        "liquidityClob": liquidity,
        "competitive": _competitive(market, at_ms),
        "seriesSlug": _series_slug(market),
    }


def event_object(market: RecordedMarket, at_ms: int, timeline: Timeline) -> Wire:
    """Build the event as `/events` lists it: with its market and its tags."""
    tag = {"id": "21", "label": market.category.title(), "slug": market.category}
    return {
        **event_summary(market, at_ms, timeline),
        "markets": [market_object(market, at_ms, timeline)],
        "tags": [tag],
    }


def _identity(market: RecordedMarket) -> Wire:
    return {
        "id": market_id(market),
        "slug": market.slug,
        "question": market.question,
        "conditionId": market.condition_id,
        "questionID": "0x" + sha256(f"question:{market.condition_id}".encode()).hexdigest(),
        "description": DESCRIPTION,
        "resolutionSource": RESOLUTION_SOURCE,
        "icon": "",
        "image": "",
        "marketMakerAddress": "",
        "groupItemThreshold": "0",
        "outcomes": json.dumps([track.label for track in market.tracks]),
        "clobTokenIds": json.dumps([track.token_id for track in market.tracks]),
    }


def _times(market: RecordedMarket, at_ms: int, timeline: Timeline) -> Wire:
    opened = as_iso(timeline.wire_ms(market.opens_ms))
    ends = as_iso(timeline.wire_ms(market.ends_ms))
    return {
        "createdAt": opened,
        "acceptingOrdersTimestamp": opened,
        "startDate": opened,
        "startDateIso": opened[:10],
        "eventStartTime": as_iso(timeline.wire_ms(market.starts_ms)),
        "endDate": ends,
        "endDateIso": ends[:10],
        "updatedAt": as_iso(timeline.wire_ms(_changed_ms(market, at_ms))),
    }


def _prices(market: RecordedMarket, at_ms: int) -> Wire:
    up = market.tracks[0]
    book = _book(up, at_ms)
    tick = market.tick(at_ms)
    bid = book.bids[0][0] if book.bids else None
    ask = book.asks[0][0] if book.asks else None
    prices: Wire = {
        "outcomePrices": _outcome_prices(market, book, at_ms),
        "orderPriceMinTickSize": tick,
        "lastTradePrice": last_price(book, tick),
        "spread": round((1.0 if ask is None else ask) - (bid or 0.0), 3),
        "competitive": _competitive(market, at_ms),
    }
    change = round(book.mid - _book(up, max(market.opens_ms, at_ms - 3_600_000)).mid, 4)
    optional = {"bestBid": bid, "bestAsk": ask, "oneHourPriceChange": change or None}
    return prices | {name: value for name, value in optional.items() if value is not None}


def last_price(book: Snapshot, tick: float) -> float:
    """Return the price that stands in for the last trade: the mid at the tick, or the only side there is."""
    if book.bids and book.asks:
        return round(round(book.mid / tick) * tick, 3)
    return book.asks[0][0] if book.asks else book.bids[0][0] if book.bids else 0.5


def _outcome_prices(market: RecordedMarket, book: Snapshot, at_ms: int) -> str:
    if market.phase(at_ms) == "resolved":
        return json.dumps([as_number(track.payout) for track in market.tracks])
    return json.dumps([as_number(book.mid), as_number(1 - book.mid)])


def _competitive(market: RecordedMarket, at_ms: int) -> float:
    if at_ms >= market.closes_ms:
        return 0
    return 1 / (1 + (_book(market.tracks[0], at_ms).mid - 0.5) ** 2)


def _liquidity(market: RecordedMarket, at_ms: int) -> Wire:
    resting = _resting(market, at_ms)
    return {"liquidity": as_number(resting), "liquidityNum": resting, "liquidityClob": resting, "liquidityAmm": 0}


def _resting(market: RecordedMarket, at_ms: int) -> float:
    """Return the money resting in both books; a closed market has none (an integer 0, as the vendor sends)."""
    if at_ms >= market.closes_ms:
        return 0
    books = [_book(track, at_ms) for track in market.tracks]
    return round(sum(price * units for book in books for price, units in book.bids + book.asks), 4)


def _state(market: RecordedMarket, at_ms: int, timeline: Timeline) -> Wire:
    phase = market.phase(at_ms)
    if phase == "open":
        return {"closed": False, "acceptingOrders": True, "umaResolutionStatuses": "[]"}
    closed_ms = timeline.wire_ms(market.closes_ms)
    return {
        "closed": True,
        "acceptingOrders": False,
        "closedTime": as_postgres(closed_ms),
        "umaEndDate": as_iso(closed_ms),
        "umaResolutionStatus": phase,
        "umaResolutionStatuses": '["proposed"]',
        "automaticallyResolved": phase == "resolved",
    }


def _changed_ms(market: RecordedMarket, at_ms: int) -> int:
    """Return the recorded moment of the latest change that Gamma would show."""
    changes = [market.closes_ms, market.resolves_ms, _book(market.tracks[0], at_ms).at_ms]
    return max(change for change in changes if change <= at_ms)


def _book(track: Track, at_ms: int) -> Snapshot:
    """Return the latest book of a listed market (every listed market has one)."""
    return track.book(at_ms) or Snapshot(at_ms, [], [])


def _series_slug(market: RecordedMarket) -> str:
    return "-".join(market.slug.split("-")[:-1])
