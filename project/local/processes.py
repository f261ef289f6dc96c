"""The processes of the desk: the one table that `bin/up` runs and `docker-compose.yml` repeats (a test compares).

Every command follows `python -m`. Environments differ by variables only.
"""

from __future__ import annotations

from dataclasses import dataclass

SOFT_SHUTDOWN_S = 20  # CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT: what a running task gets at SIGTERM
MIGRATE = ("manage.py", "migrate", "--noinput")
# A container engine knows one signal: with this, SIGTERM gives running tasks the soft time-out and the unfinished ones
# back to the queue. Our own supervisor knows two (see services.py), so it asks without a time-out first.
CONTAINER_VARIABLES = {"REMAP_SIGTERM": "SIGQUIT"}


@dataclass(frozen=True, slots=True)
class Worker:
    """One Celery worker: which queues it drains with how many children, and how politely."""

    name: str
    queues: tuple[str, ...]
    concurrency: int = 1
    niceness: int = 0

    def command(self, concurrency: int | None = None) -> tuple[str, ...]:
        """Return its command line after `python -m`."""
        return (
            *("celery", "-A", "project", "worker", "-n", f"{self.name}@%h", "-Q", ",".join(self.queues)),
            *("--pool", "prefork", "--concurrency", str(concurrency or self.concurrency)),
            # Workers that greet and watch each other cost commands on the broker and tell us nothing.
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        )


WORKERS = (
    Worker("worker_fetch", ("fetch",), concurrency=2),
    Worker("worker_forecast", ("forecast",), niceness=5),
    Worker("worker_money", ("money",)),
    Worker("worker_backup", ("backup",), niceness=10),
    # Apart from the backups, which take up to an hour: the heartbeat, the seals and the partitions wait for nobody.
    Worker("worker_upkeep", ("upkeep",)),
)


def web_command(address: str) -> tuple[str, ...]:
    """Return the web server's command line after `python -m`, listening on `address` (host:port)."""
    return (
        *("gunicorn", "project.wsgi:application", "--bind", address),
        *("--worker-class", "gthread", "--workers", "1", "--threads", "8", "--no-control-socket"),
    )


def beat_command() -> tuple[str, ...]:
    """Return beat's command line after `python -m`; schedules are in the database, so it needs no files and may run twice."""
    return (
        *("celery", "-A", "project", "beat", "--pidfile="),
        *("--scheduler", "tasks.beat:SlotScheduler"),
    )


def world_command(port: int, speed: float, state: str, ready: str, markets: int | None = None) -> tuple[str, ...]:
    """Return the recorded world's command line after `python -m`; production has none, it talks to the vendors.

    It waits for its first caller, so that no market passes while the workers start.
    """
    return (
        *("apps.sources.world", "--port", str(port), "--speed", f"{speed:g}", "--wait"),
        *("--state", state, "--ready-file", ready),
        *(("--markets", str(markets)) if markets else ()),
    )
