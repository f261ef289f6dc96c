"""`manage.py screen crypto|stocks`: prices side by side, what moved most first, each with its source and age."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from rich.console import Console
from rich.table import Table

from apps.core.clock import now
from apps.core.commands import DeskCommand
from apps.core.progress import on_terminal
from apps.sources import services
from apps.sources.screens import ORDERS, Row, Screen

ACTOR = "command:screen"
LISTS = ("crypto", "stocks")
WIDTH = 120
COLUMNS = ("rank", "symbol", "name", "price", "currency", "change", "volume", "market_cap", "source", "age_s", "grade")
NUMBERS = frozenset({"rank", "price", "change", "volume", "market_cap", "age_s"})


class Command(DeskCommand):
    """Exit 0: every price is there and fresh; 1: some are missing or old; 2: nobody answered, or wrong arguments."""

    help = "Shows the prices of a list of coins or shares, ranked, each with its source and age."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the list and how to show it."""
        parser.add_argument("list", choices=LISTS, help="which list: SCREEN_CRYPTO or SCREEN_STOCKS of the settings")
        parser.add_argument("--force-refresh", action="store_true", help="ask the sources whatever is kept")
        parser.add_argument("--limit", type=_count, metavar="N", help="show the first N lines only")
        parser.add_argument("--sort", choices=ORDERS, default="change", help="what ranks a line; change: either way (default)")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Screen, with a progress bar on a terminal."""
        name = options["list"]
        symbols = settings.SCREEN_CRYPTO if name == "crypto" else settings.SCREEN_STOCKS
        with on_terminal(f"Screen of {name}", is_json=options["json"]) as progress:
            found = services.screen(
                name=name,
                symbols=symbols,
                force=options["force_refresh"],
                order=options["sort"],
                progress=progress,
                by=ACTOR,
                now=now(),
            )
        return found.is_good, _figures(found, options["limit"])

    def as_text(self, figures: dict[str, Any]) -> str:
        """Write the lines as a table, and below it how it went with every source."""
        table = Table(box=None, pad_edge=False)
        for name in COLUMNS:
            table.add_column(_heading(name), justify="right" if name in NUMBERS else "left", no_wrap=name != "name")
        for row in figures["rows"]:
            table.add_row(*(_cell(name, row[name]) for name in COLUMNS))
        console = Console(width=WIDTH, no_color=True, highlight=False)
        with console.capture() as written:
            console.print(table)
        return written.get() + "\n".join(_notes(figures))


def _figures(found: Screen, limit: int | None) -> dict[str, Any]:
    return {
        "list": found.name,
        "from_cache": found.is_cached,
        "age_s": round(found.age_s, 1),
        "reason": found.reason,
        "rows": [_line(row) for row in found.rows[:limit]],
        "lines": len(found.rows),
        "missing": list(found.missing),
        "sources": [asdict(part) for part in found.parts],
    }


def _line(row: Row) -> dict[str, Any]:
    ticker = row.ticker
    return {
        "rank": row.rank,
        "symbol": ticker.symbol,
        "name": ticker.name,
        "price": ticker.price,
        "currency": ticker.currency,
        "change": ticker.change,
        "volume": ticker.volume,
        "market_cap": ticker.market_cap,
        "source": row.source,
        "age_s": round(row.age_s, 1),
        "grade": row.grade.value,
        "traded_at": ticker.vendor_at,
    }


def _notes(figures: dict[str, Any]) -> Iterator[str]:
    """Yield what stands below the table."""
    yield f"{figures['lines']} prices, {'kept' if figures['from_cache'] else 'asked for'} {figures['age_s']:.0f} s ago"
    if figures["reason"]:
        yield f"not renewed: {figures['reason']}"
    if figures["missing"]:
        yield f"missing: {', '.join(figures['missing'])}"
    for part in figures["sources"]:
        yield (
            f"{part['source']}: {part['state']}"
            + (f", {part['brought']} prices" if part["brought"] else "")
            + (f" ({part['reason']})" if part["reason"] else "")
        )


def _heading(name: str) -> str:
    return {"rank": "#", "change": "24 h %", "volume": "volume 24 h", "market_cap": "market cap", "age_s": "age s"}.get(
        name, name
    )


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name == "change":
        return f"{value * 100:+.2f}"
    if name == "price":
        return _price(value)
    if name in ("volume", "market_cap"):
        return f"{value:,.0f}"
    return f"{value:.0f}" if name == "age_s" else str(value)


def _price(value: Decimal) -> str:
    """Return a price with two decimals, or with four figures when it is small."""
    return f"{value:,.2f}" if value >= 1 else f"{value:.4g}"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return int(text)
