"""The options of `bin/up`; a wrong one is one plain line and exit code 2."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from project.local.preflight import CannotStart

HIGHEST_PORT = 65535
FASTEST = 3600.0  # an hour a second; above it polling sees nothing of a market
MOST_WORKERS = 64
MOST_MARKETS = 1000


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator asked for."""

    port: int
    speed: float
    data: Path
    workers: int
    has_beat: bool
    is_live: bool
    exits_when_settled: bool
    is_json: bool
    has_flower: bool = False
    markets: int | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CannotStart(message)


def read_options(arguments: Sequence[str], *, root: Path) -> Options:
    """Parse the command line; `root` is the folder of the checkout. Raises CannotStart."""
    chosen = _parser().parse_args(arguments)
    if chosen.json and not chosen.exit_when_settled:
        raise CannotStart("--json goes with --exit-when-settled")
    if chosen.live and chosen.exit_when_settled:
        raise CannotStart("--exit-when-settled plays the recorded world; it does not go with --live")
    return Options(
        port=chosen.port,
        speed=chosen.speed,
        data=(chosen.data or root / ".local").absolute(),
        workers=chosen.workers,
        has_beat=not chosen.no_beat,
        is_live=chosen.live,
        exits_when_settled=chosen.exit_when_settled,
        is_json=chosen.json,
        has_flower=chosen.flower,
        markets=chosen.markets,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="bin/up", description="Run the whole desk on this machine until Ctrl-C.", allow_abbrev=False)
    add = parser.add_argument
    add("--port", type=_port, default=8000, help="of the web pages and the API (default: 8000; 0: any free one)")
    add("--speed", type=_speed, default=60.0, help="of the recorded world (default: 60 times life)")
    add("--markets", type=_markets, metavar="N", help="play only the first N recorded markets")
    add("--data", type=a_folder, metavar="DIR", help="where everything is kept (default: .local/ in the checkout)")
    add("--workers", type=_workers, default=1, metavar="N", help="multiplies the children that fetch")
    add("--no-beat", action="store_true", help="start no scheduler")
    add("--flower", action="store_true", help="start Flower beside the desk, on a free port of this machine")
    add("--live", action="store_true", help="use the real vendors instead of the recorded world")
    add("--exit-when-settled", action="store_true", help="play the recorded world to its end, report, stop")
    add("--json", action="store_true", help="with --exit-when-settled: the report as the last line of stdout")
    return parser


def a_folder(text: str) -> Path:
    """Read the name of a folder. Raises ArgumentTypeError for an empty one, which would mean the present folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("a folder is needed, not an empty name")
    return Path(text)


def _port(text: str) -> int:
    return int(_between(text, 0, HIGHEST_PORT, whole=True))


def _workers(text: str) -> int:
    return int(_between(text, 1, MOST_WORKERS, whole=True))


def _markets(text: str) -> int:
    return int(_between(text, 1, MOST_MARKETS, whole=True))


def _speed(text: str) -> float:
    return _between(text, 0.1, FASTEST, whole=False)


def _between(text: str, least: float, most: float, *, whole: bool) -> float:
    try:
        number = float(int(text) if whole else float(text))
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        kind = "a whole number" if whole else "a number"
        raise argparse.ArgumentTypeError(f"{kind} from {least:g} to {most:g} is needed, not {text!r}")
    return number
