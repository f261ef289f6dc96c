"""`python -m apps.sources.world --port N`: the recorded world without Django."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import NoReturn

from apps.resilience.clock import SystemClock
from apps.sources.world.errors import WorldRefused
from apps.sources.world.options import add_options, options_from
from apps.sources.world.server import serve

EXIT_REFUSED = 2


class OneLineParser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message and leave with 2."""
        self.exit(EXIT_REFUSED, f"recorded_world: {message}\n")


def play(values: dict[str, object]) -> int:
    """Play with parsed options; returns the exit code after printing one plain line when it cannot."""
    try:
        asyncio.run(serve(options_from(values), SystemClock().now_s))
    except (WorldRefused, OSError) as refusal:
        sys.stderr.write(f"recorded_world: {refusal}\n")
        return EXIT_REFUSED
    return 0


def main() -> int:
    """Read the command line and play."""
    parser = OneLineParser(prog="recorded_world", description="Plays real recorded markets in the vendors' wire formats.")
    add_options(parser)
    return play(vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
