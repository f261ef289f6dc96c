"""What the operator sees: addresses once, then one live line of counts on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from project.local.clock import monotonic_s
from project.local.counts import MOST_COUNTED

PLAIN_EVERY_S = 15.0


class Screen:
    """Writes to one stream; with `is_json` that is stderr, so that stdout carries the report alone."""

    def __init__(self, *, is_json: bool, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or (sys.stderr if is_json else sys.stdout), highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._last_line = ""
        self._last_line_s = -PLAIN_EVERY_S

    def say(self, line: str) -> None:
        """Print one plain line (above the live one)."""
        self._console.print(line, markup=False)

    def table(self, title: str, rows: Mapping[str, str]) -> None:
        """Print names and values under a title."""
        if not self._console.is_terminal:
            for line in (title, *(f"{name:<20} {value}" for name, value in rows.items())):
                self.say(line)
            return
        table = Table(title=title, title_justify="left", show_header=False)
        for name, value in rows.items():
            table.add_row(Text(name, style="bold"), Text(value, overflow="fold"))
        self._console.print(table)

    def counts(self, counts: Mapping[str, int]) -> None:
        """Show the counts of this moment; a plain screen repeats them only when they changed, and rarely."""
        line = " · ".join(f"{value:,}{'+' if value >= MOST_COUNTED else ''} {name}" for name, value in counts.items())
        if not line or line == self._last_line:
            return
        if self._console.is_terminal:
            self._show_live(line)
        elif monotonic_s() - self._last_line_s >= PLAIN_EVERY_S:
            self.say(line)
            self._last_line_s = monotonic_s()
        else:
            return
        self._last_line = line

    def close(self) -> None:
        """Give the terminal back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _show_live(self, line: str) -> None:
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(Text(line), refresh=True)
