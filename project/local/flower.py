"""`--flower`: Celery's own view of the workers, beside the desk's queue page; off by default, and never in production.

It listens on loopback only and asks for a password, but for `/healthcheck` and the counts of its `/metrics`. It looks and
does not touch: what people do to jobs is done at the desk, where it is audited. Workers that are watched tell every event
of a task, which costs them a little.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from project.local.environment import single_environment
from project.local.preflight import CannotStart
from project.local.probe import answers
from project.local.supervisor import Service

USER = "flower"
HEALTH_PATH = "/healthcheck"
TASKS_KEPT = 5_000


@dataclass(frozen=True, slots=True)
class Flower:
    """Where Flower listens and who may look."""

    port: int
    password: str

    @property
    def address(self) -> str:
        """The page and what it asks for, for the table of addresses."""
        return f"http://127.0.0.1:{self.port} (user {USER}, password {self.password})"

    def command(self) -> tuple[str, ...]:
        """Return the command line after `python -m`. The password is not on it: everybody can read command lines."""
        return (
            *("celery", "-A", "project.local.flower_app", "flower"),
            *("--address=127.0.0.1", f"--port={self.port}", f"--max_tasks={TASKS_KEPT}", "--read_only"),
        )

    def service(self, shared: Mapping[str, str], root: Path) -> Service:
        """Return Flower as a service."""
        return Service(
            name="flower",
            command=(sys.executable, "-m", *self.command()),
            environment={**single_environment(shared, "flower"), "FLOWER_BASIC_AUTH": f"{USER}:{self.password}"},
            is_ready=partial(answers, self.port, HEALTH_PATH),
            launch={"cwd": root},
            niceness=10,
        )


def watched(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command line of a worker that tells Flower that it lives, and of every task.

    A worker that was started without cannot be asked to later.
    """
    return (*(word for word in command if word != "--without-heartbeat"), "--task-events")


def check_flower() -> None:
    """Refuse to start without the program. Raises CannotStart."""
    if find_spec("flower") is None:
        raise CannotStart("--flower needs Flower, which is not installed: pip install -r requirements/desk.txt")
