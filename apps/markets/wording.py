"""How rolled markets are called; pure."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal


def title_of(name: str, closes_at: datetime, *, is_daily: bool) -> str:
    """Name the happening, such as `S&P 500 at the close of 23 Nov 2026`."""
    return f"{short_name(name)} at the close of {moment_of(closes_at, is_daily=is_daily)}"


def question_of(name: str, threshold: Decimal, closes_at: datetime, *, is_daily: bool) -> str:
    """Ask the question, such as `S&P 500 above 2,104.5 at the close of 23 Nov 2026`."""
    return f"{short_name(name)} above {plain(threshold)} at the close of {moment_of(closes_at, is_daily=is_daily)}"


def short_name(name: str) -> str:
    """Drop what a vendor explains in brackets behind an instrument's name."""
    return name.partition(" (")[0][:120]


def moment_of(moment: datetime, *, is_daily: bool) -> str:
    """Write a day, or a second of it where bars are shorter than days."""
    return f"{moment:%-d %b %Y}" if is_daily else f"{moment:%-d %b %Y %H:%M:%S} UTC"


def plain(number: Decimal) -> str:
    """Write a number without exponent and needless zeros, thousands apart."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def slug_of(title: str, ending: str) -> str:
    """Make a name for addresses from words."""
    return re.sub(r"[^a-z0-9.+-]+", "-", f"{title} {ending}".lower()).strip("-")[:200]
