"""`doctor`: looks over the installation and says what to do."""

from __future__ import annotations

from typing import Any

from apps.core.commands import DeskCommand
from apps.monitoring.examination import Finding, examine


class Command(DeskCommand):
    """Examines settings, PostgreSQL, migrations, Redis, backup tools and clocks."""

    help = "Examine the installation; every fault comes with a hint."
    requires_system_checks: list[str] = []

    def run(self, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Look everywhere."""
        findings = examine()
        is_good = all(finding.is_good for finding in findings)
        if options["json"]:
            return is_good, {"is_good": is_good, "findings": {found.place: as_json(found) for found in findings}}
        return is_good, {found.place: as_line(found) for found in findings}


def as_json(finding: Finding) -> dict[str, Any]:
    """Write a finding for programs."""
    return {"is_good": finding.is_good, "found": finding.found, "hint": finding.hint}


def as_line(finding: Finding) -> str:
    """Write a finding for people."""
    mark = "ok  " if finding.is_good else "BAD "
    return f"{mark}{finding.found}" + (f"; {finding.hint}" if finding.hint else "")
