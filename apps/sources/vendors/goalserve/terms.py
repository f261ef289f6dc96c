"""Goalserve's own words: what state a match is in, when it starts, and which markets we know."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache

from apps.sources.errors import BadRow
from apps.sources.strict import number_in
from apps.sources.types import MatchStatus, OddsKind

STATUSES: dict[str, MatchStatus] = {
    **dict.fromkeys(("", "not started", "ns", "tba", "tbd", "delayed", "delay"), "scheduled"),
    **dict.fromkeys(("ht", "et", "p", "live", "break", "1st half", "2nd half", "half-time", "extra time"), "live"),
    # Stopped for now: the match may still be played to its end.
    **dict.fromkeys(("int.", "interrupted", "susp.", "suspended"), "live"),
    **dict.fromkeys(("ft", "full-time", "finished", "final"), "finished"),
    **dict.fromkeys(("aet", "after extra time", "pen.", "after pen.", "after penalties", "after over time"), "finished"),
    **dict.fromkeys(("postp.", "postponed"), "postponed"),
    **dict.fromkeys(("aban.", "abandoned"), "abandoned"),
    **dict.fromkeys(("cancl.", "canc.", "cancelled", "canceled"), "cancelled"),
    **dict.fromkeys(("awarded", "awrd.", "aw", "wo", "w.o.", "walkover"), "awarded"),
}
# Decided after the ninety minutes: `goals` count more than those that bets on regular time are settled by.
LONGER = frozenset({"aet", "after extra time", "pen.", "after pen.", "after penalties", "after over time"})
CLOCK, MINUTE = re.compile(r"\d{1,2}:\d{2}", re.ASCII), re.compile(r"\d{1,3}(\+\d{0,2})?'?", re.ASCII)
DAY = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})", re.ASCII)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MARKETS: dict[str, OddsKind] = {
    "match winner": "1x2",
    "3way result": "1x2",
    "over/under": "over_under",
    "goals over/under": "over_under",
    "asian handicap": "asian_handicap",
}
OUTCOMES = {"1": "home", "x": "draw", "2": "away"} | {name: name for name in ("home", "draw", "away", "over", "under")}
LINE_MAX = Decimal(500)
QUARTERS = 4
KEY_LENGTH = 30


def is_key(text: str) -> bool:
    """Tell whether a text has the form of the vendor's match id."""
    return text.isascii() and text.isalnum() and len(text) <= KEY_LENGTH


def status_of(text: str) -> MatchStatus:
    """Return the state that a status text means; a time of day is the kick-off, a number the minute played.

    Raises BadRow for words that we do not know: guessing here would settle a market.
    """
    word = text.strip().lower()
    if word in STATUSES:
        return STATUSES[word]
    if CLOCK.fullmatch(word):
        return "scheduled"
    if MINUTE.fullmatch(word):
        return "live"
    raise BadRow(f"status {text[:30]!r} is not known")


def starts_at(day: str, clock: str, month_day: str = "") -> datetime:
    """Return the kick-off from "11.09.2025" and "22:30", both in UTC as the vendor documents.

    `month_day` ("Sep 11") says the day once more: where the two contradict, day and month changed places somewhere.
    """
    found = DAY.fullmatch(day)
    if not found or not CLOCK.fullmatch(clock):
        raise BadRow("formatted_date and time are not a day and a time")
    try:
        hour, minute = (int(part) for part in clock.split(":"))
        moment = datetime.combine(date(int(found[3]), int(found[2]), int(found[1])), time(hour, minute), tzinfo=UTC)
    except ValueError:
        raise BadRow("formatted_date and time are no real moment") from None
    month = MONTHS[moment.month - 1]
    if month_day and month_day.split(",", maxsplit=1)[0] not in (f"{month} {moment.day}", f"{month} {moment.day:02}"):
        raise BadRow("date and formatted_date contradict each other")
    return moment


def kind_of(market: str, sport: str) -> OddsKind | None:
    """Return which of our kinds a market is, or None for the many that we do not follow.

    "Home/Away" is a bet without the draw in soccer and the plain winner elsewhere.
    """
    if market.lower() == "home/away":
        return None if sport == "soccer" else "moneyline"
    return MARKETS.get(market.lower())


def outcome_of(name: str) -> str:
    """Return our word for an outcome; what follows it ("Over 2.5") is the line. Raises BadRow."""
    first = name.strip().lower().split(" ")[0]
    if first not in OUTCOMES:
        raise BadRow("an odd has a name that is no outcome")
    return OUTCOMES[first]


@lru_cache(maxsize=2_000)
def line_of(text: str) -> Decimal:
    """Return goals or a handicap in quarters: "2.5", "+0.75", "-1". Raises BadRow."""
    line = number_in(text.strip().removeprefix("+"), "line", low=-LINE_MAX, high=LINE_MAX)
    if (line * QUARTERS) % 1:
        raise BadRow("line is not in quarters")
    return line.normalize() + 0


@lru_cache(maxsize=5_000)
def odds_of(text: str) -> Decimal:
    """Return decimal odds as they are written, good or not; the gates judge them. Raises BadRow for what is no number."""
    return number_in(text, "odds", low=Decimal(-100_000), high=Decimal(100_000))
