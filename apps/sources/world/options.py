"""The options of the recorded world, shared by `python -m apps.sources.world` and `manage.py recorded_world`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from apps.sources.world.errors import WorldRefused

BAR_GAP_MIN_S = 1.0  # the vendor's timestamps are whole seconds: two bars must not share one


@dataclass(frozen=True, slots=True)
class Options:
    """How to play; `port` 0 takes any free port."""

    port: int
    host: str
    speed: float
    bar_every_s: float
    markets: int | None
    waits: bool
    state: Path | None
    ready_file: Path | None
    faults: Path | None = None

    def checked(self) -> Options:
        """Return these options, or raise WorldRefused with one plain line."""
        if not 0 <= self.port <= 65_535:
            raise WorldRefused(f"--port {self.port} is not a port (0 to 65535)")
        if not (isfinite(self.speed) and self.speed > 0):
            raise WorldRefused(f"--speed {self.speed:g} is not a speed (above 0)")
        if not (isfinite(self.bar_every_s) and self.bar_every_s / self.speed >= BAR_GAP_MIN_S):
            raise WorldRefused(f"--bar-every {self.bar_every_s:g} is too short at speed {self.speed:g}: bars must be 1 s apart")
        if self.markets is not None and self.markets < 1:
            raise WorldRefused(f"--markets {self.markets} leaves nothing to play")
        return self


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the recorded world to a parser."""
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--speed", type=float, default=60.0, help="recorded seconds in one real second")
    parser.add_argument("--bar-every", type=float, default=600.0, metavar="S", help="recorded seconds between two daily bars")
    parser.add_argument("--markets", type=int, metavar="N", help="play only the first N recorded markets")
    parser.add_argument("--wait", action="store_true", help="let time stand still until a vendor is first called")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep the place here and continue from it")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="a list of faults in JSON, as docs/recorded-world.md has it")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="written as JSON once the server listens")


def options_from(values: dict[str, object]) -> Options:
    """Turn parsed values into checked options. Raises WorldRefused."""
    parsed = argparse.Namespace(**values)
    return Options(
        port=parsed.port,
        host=parsed.host,
        speed=parsed.speed,
        bar_every_s=parsed.bar_every,
        markets=parsed.markets,
        waits=parsed.wait,
        state=parsed.state,
        ready_file=parsed.ready_file,
        faults=parsed.faults,
    ).checked()
