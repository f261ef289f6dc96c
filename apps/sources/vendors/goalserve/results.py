"""Goalserve's lists of matches in XML: states and goals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.gathering import gather
from apps.sources.ports import Gathered
from apps.sources.strict import excerpt_of
from apps.sources.strict_xml import parse_xml
from apps.sources.types import NAME_LENGTH, MatchRecord
from apps.sources.vendors.goalserve import terms

SCORE = re.compile(r"\[\s*(\d{1,3})\s*-\s*(\d{1,3})\s*\]", re.ASCII)
GOALS = re.compile(r"\d{1,3}", re.ASCII)
REGULAR_MINUTES = 90
ROOTS = frozenset({"scores", "commentaries"})


def read_results(body: bytes) -> Gathered[MatchRecord]:
    """Read all matches of a document. Raises BadAnswer when it is none, or goes wrong anywhere."""
    root = parse_xml(body)
    if root.tag not in ROOTS:
        raise BadAnswer(f"the document is about {root.tag[:40]}, not matches", excerpt=excerpt_of(body))
    return gather(_rows(root), as_match, key="id")


def _rows(root: Element) -> Iterator[dict[str, str]]:
    """Yield each match as plain texts: its attributes and what we need of the elements inside it."""
    for group in root:
        for match in group.iter("match"):
            outer = {"sport": root.get("sport", ""), "league": group.get("name", "")}
            yield {**match.attrib, **outer, **_inside(match)}


def _inside(match: Element) -> dict[str, str]:
    """Return the teams with their goals, the score of the regular time, and the score after the goals told."""
    found: dict[str, str] = {}
    for side in ("localteam", "visitorteam"):
        team = match.find(side)
        found[side], found[f"{side}_goals"] = (team.get("name", ""), team.get("goals", "")) if team is not None else ("", "")
    told = match.find("ft")
    found["ft"] = told.get("score", "") if told is not None else ""
    goals = [event for event in match.iterfind("events/event") if event.get("type") == "goal"]
    regular = [goal for goal in goals if _minute(goal.get("minute", "")) <= REGULAR_MINUTES]
    found["regular"], found["last"] = (said[-1].get("result", "") if said else "[0-0]" for said in (regular, goals))
    return found


def _minute(text: str) -> int:
    """Return the minute of "90+2" (90): stoppage time belongs to the half it follows. What cannot be read comes late."""
    first = text.partition("+")[0].strip()
    return int(first) if GOALS.fullmatch(first) else REGULAR_MINUTES + 1


def as_match(row: object) -> MatchRecord:
    """Turn one raw match into the desk's record. Raises BadRow."""
    fields: dict[str, str] = row if isinstance(row, dict) else {}
    key, home, away = fields.get("id", ""), fields.get("localteam", "").strip(), fields.get("visitorteam", "").strip()
    if not terms.is_key(key):
        raise BadRow("id has not the form of one")
    if not home or not away:
        raise BadRow("a team has no name")
    scores = _scores(fields)
    return MatchRecord(
        key=key,
        sport=fields.get("sport", "")[:40].lower() or "sport",
        league=fields.get("league", "")[:NAME_LENGTH],
        home=home[:NAME_LENGTH],
        away=away[:NAME_LENGTH],
        starts_at=terms.starts_at(fields.get("formatted_date", ""), fields.get("time", ""), fields.get("date", "")),
        status=terms.status_of(fields.get("status", "")),
        home_score=scores[0] if scores else None,
        away_score=scores[1] if scores else None,
    )


def _scores(fields: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the goals of the regular time of a finished match, or None where they are not known for certain.

    `goals` is the score when the match ended. After extra time or penalties the score at the end of the ninety minutes
    is the vendor's own `ft`, or the one after the last goal of those minutes, if the goals told add up to `goals`.
    """
    status = fields.get("status", "")
    if terms.status_of(status) != "finished":
        return None
    home, away = fields.get("localteam_goals", ""), fields.get("visitorteam_goals", "")
    if not GOALS.fullmatch(home) or not GOALS.fullmatch(away):
        raise BadRow("a finished match has no goals")
    total = int(home), int(away)
    if status.strip().lower() not in terms.LONGER:
        return total
    if said := _pair(fields.get("ft", "")):
        return said
    return _pair(fields.get("regular", "")) if _pair(fields.get("last", "")) == total else None


def _pair(text: str) -> tuple[int, int] | None:
    found = SCORE.fullmatch(text.strip())
    return (int(found[1]), int(found[2])) if found else None
