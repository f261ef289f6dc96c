"""What the columns of a season file mean. They change every season; their names follow rules.

A price column is BOOK, C for closing odds, and what is priced: H, D, A for the result; `>2.5` and `<2.5` for goals;
AHH, AHA for the Asian handicap, whose size stands in AHh, AHCh, BbAHh or BOOK + AH. The meaning of each book's letters
is in the vendor's notes (https://www.football-data.co.uk/notes.txt). `_2_5` and `_2_5_1` are the goal columns in copies
of the files whose names were made plain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from apps.sources.types import OddsKind

BOOKS = {
    "1XB": "1xBet",
    "B365": "Bet365",
    "BF": "Betfair",
    "BFD": "Betfred",
    "BFE": "Betfair Exchange",
    "BMGM": "BetMGM",
    "BS": "Blue Square",
    "BV": "BetVictor",
    "BW": "Bet&Win",
    "CL": "Coral",
    "GB": "Gamebookers",
    "IW": "Interwetten",
    "LB": "Ladbrokes",
    "P": "Pinnacle",
    "PS": "Pinnacle",
    "SB": "Sportingbet",
    "SJ": "Stan James",
    "SO": "Sporting Odds",
    "SY": "Stanleybet",
    "VC": "VC Bet",
    "WH": "William Hill",
    # Not books but figures over all of them; the gates know that the best of all is nobody's offer.
    "Avg": "market average",
    "BbAv": "market average",
    "BbMx": "market maximum",
    "Max": "market maximum",
}
_BOOK = "|".join(sorted(BOOKS, key=len, reverse=True))
PRICE = re.compile(rf"(?P<book>{_BOOK})(?P<closing>C?)(?P<what>H|D|A|AHH|AHA|>2\.5|<2\.5|_2_5|_2_5_1)")
MEANING: dict[str, tuple[OddsKind, str]] = {
    "H": ("1x2", "home"),
    "D": ("1x2", "draw"),
    "A": ("1x2", "away"),
    ">2.5": ("over_under", "over"),
    "<2.5": ("over_under", "under"),
    "_2_5": ("over_under", "over"),
    "_2_5_1": ("over_under", "under"),
    "AHH": ("asian_handicap", "home"),
    "AHA": ("asian_handicap", "away"),
}
GOALS = Decimal("2.5")
REQUIRED = ("Date", "HomeTeam", "AwayTeam")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceColumn:
    """One column of odds; `line_columns` are those that may hold its handicap, the first that is filled counts."""

    name: str
    kind: OddsKind
    outcome: str
    bookmaker: str
    closing: bool
    line: Decimal | None = None
    line_columns: tuple[str, ...] = ()


def price_columns(header: Sequence[str]) -> tuple[PriceColumn, ...]:
    """Return the columns of odds that we know among those of a header."""
    found = [(name, PRICE.fullmatch(name)) for name in header]
    return tuple(_column(name, match) for name, match in found if match)


def _column(name: str, match: re.Match[str]) -> PriceColumn:
    kind, outcome = MEANING[match["what"]]
    book, closing = match["book"], match["closing"]
    is_handicap = kind == "asian_handicap"
    return PriceColumn(
        name=name,
        kind=kind,
        outcome=outcome,
        bookmaker=BOOKS[book],
        closing=bool(closing),
        line=GOALS if kind == "over_under" else None,
        line_columns=_line_columns(book, closing) if is_handicap else (),
    )


def _line_columns(book: str, closing: str) -> tuple[str, ...]:
    if book.startswith("Bb"):
        return ("BbAHh",)
    return (f"{book}{closing}AH", f"AH{closing}h")
