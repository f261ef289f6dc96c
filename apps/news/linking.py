"""What an article is about: which instruments and which open markets. Pure.

Instruments are found by what the source says (its symbols), by symbols that writers mark as such ("$AAPL", "NASDAQ:
AAPL"), and by their names as a run of words, a name of one word only where it is written with a capital.

Markets are found by the words of their questions. Each word weighs ln(1 + N / n), where n of the N open questions have
it, so that what all questions say ("win", "election") counts little and a name counts much. The strength of a link is
the weight of the question's words that the article has, over the weight of all of them. A link needs

* a strength of at least STRENGTH_MIN,
* at least WORDS_MIN words in common,
* and in the article's title the question's own name: of its names and numbers (words with a capital that do not begin
  it, words with digits) the one that weighs most, that is, the one that fewest other questions have.

At most MARKETS_MAX markets, the strongest, are linked to one article. Words that any question may have, months and years
do not count. The thresholds favour silence: an article that is missing is cheaper than one that is about something else.
Measured on 215 recorded articles of one month, about AI for the most part, against 3,295 questions asked years later:
15 links, each to a question whose subject the title names; with any name in the title sufficing it were 52.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from apps.news.types import LinkReason
from apps.news.wordlists import COMMON, LEGAL

STRENGTH_MIN = 0.6
WORDS_MIN = 2
MARKETS_MAX = 5
NAME_LENGTH_MIN = 3
BY_SYMBOL, BY_CASHTAG = Decimal(1), Decimal("0.9")
BY_NAME_IN_TITLE, BY_NAME_IN_SUMMARY = Decimal("0.8"), Decimal("0.5")
STEP = Decimal("0.001")

WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:\.[^\W\d_]{2,})*")
DAY = re.compile(r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d{1,2}(?:st|nd|rd|th)?\b(?!:)")
THOUSANDS = re.compile(r"(\d+(?:[.,]\d+)*)\s?[kK]\b")
YEAR = re.compile(r"(?:19|20)\d\d")
CASHTAG = re.compile(r"(?<![\w$])\$([A-Za-z]{1,6}(?:\.[A-Za-z])?)\b")
LISTED = re.compile(r"\b(?:NASDAQ|NYSE|AMEX|NYSEARCA|LSE|TSX)\s?:\s?([A-Z]{1,6}(?:\.[A-Z])?)\b")
EXPIRY = re.compile(r"\s(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* \d\d(?:\d\d)?$")


@dataclass(frozen=True, slots=True)
class Question:
    """An open market as the matcher knows it."""

    market_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument as the matcher knows it."""

    instrument_id: str
    symbol: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Found:
    """A link to make: `subject_id` is a market's or an instrument's id."""

    subject_id: str
    reason: LinkReason
    strength: Decimal


class MarketMatcher:
    """Knows the words of all open questions; made once for a batch of articles."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._words = {question.market_id: telling_words(question.text) for question in questions}
        counts = Counter(word for words in self._words.values() for word in words)
        self._weights = {word: math.log(1 + len(self._words) / count) for word, count in counts.items()}
        self._named: dict[str, set[str]] = defaultdict(set)
        for question in questions:
            for name in self._own_names(question):
                self._named[name].add(question.market_id)

    def links(self, *, title: str, summary: str) -> tuple[Found, ...]:
        """Return the markets that an article is about, the strongest first."""
        in_title = telling_words(title)
        heard = in_title | telling_words(summary)
        candidates = {market_id for word in in_title for market_id in self._named.get(word, ())}
        found = [Found(market_id, "keywords", self._strength(market_id, heard)) for market_id in candidates]
        linked = [link for link in found if link.strength]
        return tuple(sorted(linked, key=lambda link: (-link.strength, link.subject_id))[:MARKETS_MAX])

    def _strength(self, market_id: str, heard: frozenset[str]) -> Decimal:
        """Return the strength of a link, or 0 where there is none to make."""
        words = self._words[market_id]
        common = words & heard
        if len(common) < WORDS_MIN:
            return Decimal(0)
        share = self._weight(common) / self._weight(words)
        return Decimal(share).quantize(STEP) if share >= STRENGTH_MIN else Decimal(0)

    def _own_names(self, question: Question) -> set[str]:
        """Return the names of a question that weigh most; several when they weigh the same."""
        names = _names_in(question.text) & self._words[question.market_id]
        heaviest = max((self._weights[name] for name in names), default=0.0)
        return {name for name in names if self._weights[name] >= heaviest}

    def _weight(self, words: frozenset[str]) -> float:
        return math.fsum(self._weights[word] for word in words)


def instrument_links(listings: Sequence[Listing], *, title: str, summary: str, symbols: Sequence[str]) -> tuple[Found, ...]:
    """Return the instruments that an article is about, each by its strongest reason."""
    text = f"{title} {summary}"
    told = {symbol.upper() for symbol in symbols} | set(LISTED.findall(text))
    marked = {symbol.upper() for symbol in CASHTAG.findall(text)}
    found = (_listing_link(listing, told=told, marked=marked, title=title, text=text) for listing in listings)
    return tuple(link for link in found if link is not None)


def telling_words(text: str) -> frozenset[str]:
    """Return the words of a text that can tell it from others: without case, accents and plurals, common words and years."""
    words = _words(DAY.sub(" ", text))
    return frozenset(word for word in words if word not in COMMON and not YEAR.fullmatch(word) and len(word) > 1)


def _listing_link(listing: Listing, *, told: set[str], marked: set[str], title: str, text: str) -> Found | None:
    spellings = _spellings(listing)
    if spellings & told:
        return Found(listing.instrument_id, "symbol", BY_SYMBOL)
    if spellings & marked:
        return Found(listing.instrument_id, "cashtag", BY_CASHTAG)
    if _has_name(listing, title):
        return Found(listing.instrument_id, "name", BY_NAME_IN_TITLE)
    if _has_name(listing, text):
        return Found(listing.instrument_id, "name", BY_NAME_IN_SUMMARY)
    return None


def _spellings(listing: Listing) -> set[str]:
    """Return how writers write a symbol. A future has none but its own: CL is crude oil here and Colgate on the exchange."""
    symbol = listing.symbol.upper()
    spellings = {symbol, symbol.removeprefix("^")}
    if listing.kind == "crypto":
        spellings.add(re.sub(r"[-/]?USD[TC]?$", "", symbol))
    return spellings - {""}


def _has_name(listing: Listing, text: str) -> bool:
    name = spoken_name(listing.name)
    if len(name) < NAME_LENGTH_MIN:
        return False
    if " " not in name:
        return any(word == name and word[0].isupper() for word in WORD.findall(_unaccented(text)))
    return f" {' '.join(_words(name))} " in f" {' '.join(_words(text))} "


def spoken_name(name: str) -> str:
    """Return an instrument's name as people say it: without what stands in brackets, an expiry, and the legal form."""
    words = EXPIRY.sub("", name.partition(" (")[0]).replace(",", " ").split()
    while len(words) > 1 and words[-1].casefold().strip(".") in LEGAL:
        words.pop()
    return _unaccented(" ".join(words))


def _words(text: str) -> list[str]:
    plain = THOUSANDS.sub(lambda found: found[1] + ",000", _unaccented(text)).replace("’", "'")
    words = WORD.findall(re.sub(r"'s\b", "", plain).casefold())
    return [_singular(word.replace(",", "")) for word in words]


def _singular(word: str) -> str:
    is_plural = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if is_plural else word


def _unaccented(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def wish_of(question: str) -> str:
    """Return the words to search for when news of a question is wanted: its longest run of names.

    Of equals the first that does not begin the question, where every word has a capital.
    """
    runs = re.findall(r"\b[A-Z][\w.&'-]*(?: (?:[A-Z][\w.&'-]*|of|&|\d+))*", _unaccented(DAY.sub(" ", question)))
    names = [_without_ends(run) for run in runs]
    begins = [name for name in names[:1] if question.startswith(name)]
    return max(names[len(begins) :] + begins, key=lambda name: len(name.split()), default="")


def _without_ends(run: str) -> str:
    """Drop words that any question may have from both ends of a run."""
    words = run.strip(".,'-").split()
    while words and words[0].casefold() in COMMON:
        words.pop(0)
    while words and words[-1].casefold() in COMMON:
        words.pop()
    return " ".join(words)


def _names_in(question: str) -> frozenset[str]:
    """Return the names and numbers of a question: words with a capital that do not begin it, and words with digits."""
    found = list(WORD.finditer(_unaccented(question)))
    named = [word[0] for place, word in enumerate(found) if word[0][0].isdigit() or (word[0][0].isupper() and place > 0)]
    return telling_words(" ".join(named)) if named else telling_words(" ".join(word[0] for word in found[:1]))
