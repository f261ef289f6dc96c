"""`bin/check`: everything that can be said about the code without running it. One line per step, with its time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from apps.core.ids import fresh_token
from project.local.clock import monotonic_s

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = Path(sys.executable).parent
# Deployment checks are about production; nothing of it is contacted.
PRODUCTION_LIKE = {
    "ENVIRONMENT": "production",
    "ALLOWED_HOSTS": "desk.example",
    "DATABASE_URL": "postgres://desk:unused@127.0.0.1:1/desk",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "PROCESS_TYPE": "command",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One check: its name, its command and the variables that it needs beside ours."""

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


def steps() -> tuple[Step, ...]:
    """Return all checks, quick ones first."""
    production = PRODUCTION_LIKE | {"SECRET_KEY": fresh_token(48), "OPS_TOKEN": fresh_token()}
    unconnected = {"DATABASE_URL": PRODUCTION_LIKE["DATABASE_URL"], "REDIS_URL": PRODUCTION_LIKE["REDIS_URL"]}
    # Without a server Django warns that it could not compare with applied migrations; it compares models with files.
    quiet = {"PYTHONWARNINGS": "ignore:Got an error checking a consistent migration history:RuntimeWarning"}
    return (
        Step("ruff check", (_program("ruff"), "check", "--quiet", ".")),
        Step("ruff format", (_program("ruff"), "format", "--check", "--quiet", ".")),
        Step("import contracts", (_program("lint-imports"), "--no-cache")),
        Step("migrations", (sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"), unconnected | quiet),
        Step("deployment", (sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"), production),
        Step("types", (sys.executable, "-m", "mypy", "apps", "project", "tasks", "tests")),
    )


def main() -> int:
    """Run all checks and return 0 when all hold, else 1."""
    results = [run(step) for step in steps()]
    return 0 if all(results) else 1


def run(step: Step) -> bool:
    """Run one check, print its line, and its output when it failed."""
    started_s = monotonic_s()
    done = subprocess.run(
        step.command, cwd=ROOT, env=dict(os.environ) | dict(step.variables), capture_output=True, text=True, check=False
    )
    is_good = done.returncode == 0
    print(f"{'ok    ' if is_good else 'FAILED'} {step.name:<18} {monotonic_s() - started_s:6.1f} s", flush=True)
    if not is_good:
        print(_shortened(done.stdout + done.stderr), flush=True)
    return is_good


def _program(name: str) -> str:
    return str(PROGRAMS / name)


def _shortened(output: str, *, most_lines: int = 80) -> str:
    lines: Sequence[str] = output.strip().splitlines()
    return "\n".join(
        lines if len(lines) <= most_lines else [*lines[:most_lines], f"... and {len(lines) - most_lines} lines more"]
    )


if __name__ == "__main__":
    sys.exit(main())
