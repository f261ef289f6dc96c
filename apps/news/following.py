"""What news the desk wants: the names of its instruments and of the open markets that are traded most."""

from __future__ import annotations

from dataclasses import dataclass

from apps.markets import selectors as markets
from apps.news.linking import Listing, Question, spoken_name, wish_of

QUESTIONS_MAX = 5_000
MARKETS_FOLLOWED_MAX = 30
WORDS_MAX = 40  # joined into a handful of searches, so that a tick costs a few calls whatever is followed


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What to search for (`words` for those who search texts, `symbols` for those who know shares) and what to link to."""

    words: tuple[str, ...]
    symbols: tuple[str, ...]
    questions: tuple[Question, ...]
    listings: tuple[Listing, ...]


def following() -> Following:
    """Return what the desk follows now. Markets that it rolled itself are followed through their instruments."""
    instruments = markets.instruments()
    rows = markets.markets_table().filter(state="open", instrument_id=None).order_by("-volume", "-id")
    questions = tuple(Question(row["id"], row["question"]) for row in rows.values("id", "question")[:QUESTIONS_MAX])
    names = [spoken_name(instrument.name) for instrument in instruments]
    wishes = [wish_of(question.text) for question in questions[:MARKETS_FOLLOWED_MAX]]
    return Following(
        words=tuple(dict.fromkeys(word for word in (*names, *wishes) if word))[:WORDS_MAX],
        symbols=tuple(instrument.symbol for instrument in instruments),
        questions=questions,
        listings=tuple(Listing(one.id, one.symbol, one.name, one.kind) for one in instruments),
    )
