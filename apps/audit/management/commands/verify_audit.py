"""`verify_audit`: prove that the audit log was not changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.audit import selectors
from apps.audit.errors import UnreadableAnchor
from apps.core.commands import DeskCommand


class Command(DeskCommand):
    """Walk along the chain, hold it against an anchor, and write the next anchor."""

    help = "Recompute the audit chain; exit 0 when it is good, 1 when something was changed, 2 when it cannot be told."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the two files."""
        parser.add_argument("--anchor", type=Path, metavar="FILE", help="an anchor exported earlier and kept elsewhere")
        parser.add_argument("--export", type=Path, metavar="FILE", help="write the newest link, when the chain is good")

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Verify, and export the anchor when all is well."""
        found = selectors.verify(anchor=_read(options["anchor"]) if options["anchor"] else None)
        figures = found.as_figures()
        if options["export"]:
            figures["exported"] = _export(options["export"]) if found.is_good else None
        return found.is_good, figures


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text())
    except ValueError as error:
        raise UnreadableAnchor(f"{path} holds no JSON: {error}") from error
    if not isinstance(raw, dict):
        raise UnreadableAnchor(f"{path} holds no anchor")
    return raw


def _export(path: Path) -> int | None:
    anchor = selectors.latest_anchor()
    if anchor is None:
        return None
    unfinished = path.with_name(f"{path.name}.partial")
    unfinished.write_text(json.dumps(anchor, indent=2) + "\n")
    unfinished.rename(path)
    number: int = anchor["number"]
    return number
