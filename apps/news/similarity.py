"""Whether two titles tell the same news. Pure.

Sources cut, decorate and re-word titles a little, so equality is too strict. Two titles are near-same when

* the share of their words that they have in common (Jaccard: both over either) is at least SAME_SHARE, and
* they name the same numbers: "falls below $60,000" and "falls below $61,000" differ in one word only and are different news,
* and neither has fewer than WORDS_MIN words, unless they are equal: short titles ("Market update") come back every day.

0.75 lets one word of eight be another (7 / 9 = 0.78) and two be added to eight (8 / 10), and keeps apart sentences of one
form about two subjects ("Dow closes 100 points higher", "Nasdaq closes 100 points higher": 4 / 6 = 0.67). Together with
the hour within which both must be published (see the storing) it is tested on such pairs.
"""

from __future__ import annotations

import re
import unicodedata

SAME_SHARE = 0.75
WORDS_MIN = 4
WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
# A publisher's name that feeds hang behind the title: " - Reuters", " | The Verge".
TAIL = re.compile(r"\s+[-–—|]\s+[^-–—|]{2,40}$")


def words_of(title: str) -> frozenset[str]:
    """Return the words and numbers of a title, without case, accents, and a publisher's name at its end."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", title) if not unicodedata.combining(letter))
    lowered = plain.casefold().replace("’", "'").replace("'s ", " ").replace("'", "")
    shortened = TAIL.sub("", lowered)
    words = WORD.findall(shortened) if len(WORD.findall(shortened)) >= WORDS_MIN else WORD.findall(lowered)
    return frozenset(word.replace(",", "") for word in words)


def is_same_news(one: frozenset[str], other: frozenset[str]) -> bool:
    """Return whether two titles, given as their words, are near-same."""
    if one == other:
        return bool(one)
    if min(len(one), len(other)) < WORDS_MIN or _numbers(one) != _numbers(other):
        return False
    return len(one & other) / len(one | other) >= SAME_SHARE


def _numbers(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in words if word[0].isdigit())
