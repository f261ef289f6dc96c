"""The base of every management command: `--json`, three exit codes, one plain line on error.

0 good, 1 bad, 2 could not tell (wrong arguments, a service away).
"""

from __future__ import annotations

import json
import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError

from apps.core.errors import Broken, DeskError, Expected

EXIT_GOOD, EXIT_BAD, EXIT_UNKNOWN = 0, 1, 2


class OneLineParser(CommandParser):
    """An argument parser that says what is wrong in one line and exits with 2."""

    def error(self, message: str) -> NoReturn:
        """Print the message in one line and leave with 2."""
        self.exit(EXIT_UNKNOWN, f"{self.prog}: {message}\n")


class DeskCommand(BaseCommand):
    """A command whose `run` returns (is_good, figures); figures are printed as text or, with --json, as one line."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Make the parser with the options that all commands share."""
        parser = OneLineParser(prog=f"{prog_name} {subcommand}", description=self.help, **kwargs)
        parser.add_argument("--json", action="store_true", help="print one line of JSON")
        self.add_base_arguments(parser)
        self.add_arguments(parser)
        return parser

    def add_base_arguments(self, parser: CommandParser) -> None:
        """Add the options of Django that `BaseCommand` relies on."""
        parser.add_argument("--settings")
        parser.add_argument("--pythonpath")
        parser.add_argument("--traceback", action="store_true")
        parser.add_argument("--no-color", action="store_true")
        parser.add_argument("--force-color", action="store_true")
        parser.add_argument("--skip-checks", action="store_true")
        parser.add_argument("-v", "--verbosity", type=int, default=1)

    @abstractmethod
    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Do the work and return whether it went well and the figures to print."""

    def as_text(self, figures: dict[str, Any]) -> str:
        """Write the figures for people; a command whose figures are a table does it its own way."""
        return as_lines(figures)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run, print, and leave with the exit code."""
        try:
            is_good, figures = self.run(**options)
        except Expected as error:
            self.leave(EXIT_UNKNOWN, in_words(error))
        except Broken as error:
            self.leave(EXIT_BAD, in_words(error))
        except (DeskError, OperationalError, OSError) as error:
            self.leave(EXIT_UNKNOWN, f"could not tell: {type(error).__name__}: {first_line(error)}")
        self.stdout.write(json.dumps(figures, default=str) if options.get("json") else self.as_text(figures))
        if not is_good:
            sys.exit(EXIT_BAD)

    def leave(self, code: int, line: str) -> NoReturn:
        """Print one line to stderr and exit with `code`."""
        self.stderr.write(line)
        sys.exit(code)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return (str(error).splitlines() or [""])[0]


def in_words(error: DeskError) -> str:
    """Return an error's text; where a room named only the id of what it could not find, say what happened to it."""
    text = str(error)
    return text if " " in text else f"{error.code}: {text}"


def as_lines(figures: dict[str, Any]) -> str:
    """Write figures one a line, names aligned; what is inside of a figure is named by its path."""
    flat = dict(flattened(figures))
    width = max((len(name) for name in flat), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in flat.items())


def flattened(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of everything in nested mappings and sequences; an empty one is a dash."""
    if not isinstance(value, Mapping | list | tuple):
        yield path, value
    elif not value and path:
        yield path, "-"
    else:
        parts = value.items() if isinstance(value, Mapping) else enumerate(value, start=1)
        for name, part in parts:
            yield from flattened(part, f"{path}.{name}" if path else str(name))
