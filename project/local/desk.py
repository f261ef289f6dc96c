"""One desk on this machine, from the first server to the last report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from apps.backups.embedded import EmbeddedPostgres, free_port
from project.local.clock import monotonic_s
from project.local.counts import Counts
from project.local.deskfile import DeskDescription, write_desk_file
from project.local.ending import Ending, read_report
from project.local.environment import desk_environment, given, single_environment
from project.local.flower import Flower
from project.local.folder import MARK, DataFolder
from project.local.guard import Guard
from project.local.options import Options
from project.local.preflight import CannotStart
from project.local.processes import MIGRATE
from project.local.screen import Screen
from project.local.services import desk_services, manage, postgres_service, valkey_service, world_service
from project.local.stopping import StopRequest
from project.local.supervisor import Service, Supervisor
from project.local.valkey import EmbeddedValkey

COUNT_EVERY_S = 2.0
WATCH_STEP_S = 0.2


class Desk:
    """The servers, the processes and what is told about them. `stop` is asked by signals."""

    def __init__(self, options: Options, folder: DataFolder, screen: Screen, guard: Guard, stop: StopRequest) -> None:
        self._options, self._folder, self._screen = options, folder, screen
        self._root = Path(__file__).resolve().parent.parent.parent
        self._started_s = monotonic_s()
        self._port = options.port or free_port()
        self._world_port = free_port()
        self._flower = Flower(free_port(), folder.secrets()["flower_password"]) if options.has_flower else None
        self._environment: dict[str, str] = {}
        self._description: DeskDescription | None = None
        self.supervisor = Supervisor(logs=folder.logs, guard=guard, stop=stop, say=screen.say, changed=self._refresh_desk_file)

    def start(self) -> None:
        """Bring everything up in order and describe it. Raises CannotStart, or Stopped at a signal."""
        servers, database_url, redis_url = self._servers()
        world_port = None if self._options.is_live else self._world_port
        self._environment = desk_environment(
            self._options,
            self._folder,
            database_url=database_url,
            redis_url=redis_url,
            world_port=world_port,
        )
        self.supervisor.bring_up(*servers, *self._world())
        self._screen.say("Preparing the database ...")
        self._must_succeed(*MIGRATE[1:])
        prepared = read_report(self._must_succeed("prepare_desk", "--json"))
        self._screen.say("Starting web, workers and beat ...")
        self.supervisor.bring_up(*desk_services(self._options, self._folder, self._port, self._environment, self._root))
        if self._flower:
            self.supervisor.bring_up(self._flower.service(self._environment, self._root))
        self._describe(prepared)
        self._screen.table("Bellwether runs; Ctrl-C stops it.", self._addresses(prepared))

    def keep(self) -> None:
        """Watch over the processes until the operator stops them. Raises Stopped then."""
        counts = Counts(self._environment["DATABASE_URL"])
        try:
            self._watch(counts, None)
        finally:
            counts.close()

    def play_to_the_end(self) -> dict[str, Any]:
        """Watch until the recorded world is over and everything is settled, and return the report. Raises Stopped."""
        ending = Ending(self._world_port, self._manage, self._started_s)
        counts = Counts(self._environment["DATABASE_URL"])
        try:
            self._watch(counts, ending)
        finally:
            counts.close()
        if ending.missing:
            self._screen.say(ending.missing)
        self._screen.say("The recorded world is over; writing the report (backup and restore included) ...")
        exit_code, output = self._manage("desk_report", "--json")
        report = read_report(output)
        is_good = exit_code == 0 and bool(report) and not ending.missing
        return report | {
            "missing": ending.missing,
            "all_checks_hold": is_good,
            "wall_seconds": round(monotonic_s() - self._started_s, 1),
        }

    def shut_down(self) -> None:
        """End every process and remove the description."""
        self._description = None
        self.supervisor.shut_down()
        self._folder.desk_file.unlink(missing_ok=True)

    def _watch(self, counts: Counts, ending: Ending | None) -> None:
        next_count_s = 0.0
        while ending is None or not ending.has_come():
            self.supervisor.step()
            if monotonic_s() >= next_count_s:
                self._screen.counts(counts.read())
                next_count_s = monotonic_s() + COUNT_EVERY_S
            self.supervisor.pause(WATCH_STEP_S)

    def _servers(self) -> tuple[list[Service], str, str]:
        servers: list[Service] = []
        database_url, redis_url = given("DATABASE_URL"), given("REDIS_URL")
        bare = dict(os.environ) | {MARK: str(self._folder.path)}
        if not database_url:
            postgres = EmbeddedPostgres(self._folder.path / "postgres", port=free_port())
            postgres.init()
            servers.append(postgres_service(postgres, bare))
            database_url = postgres.dsn
        if not redis_url:
            valkey = EmbeddedValkey(self._folder.path / "valkey", port=free_port())
            valkey.prepare()
            servers.append(valkey_service(valkey, bare))
            redis_url = valkey.url
        return servers, database_url, redis_url

    def _world(self) -> list[Service]:
        if self._options.is_live:
            return []
        environment = single_environment(self._environment, "world")
        return [world_service(self._options, self._folder, self._world_port, environment, self._root)]

    def _manage(self, *words: str) -> tuple[int, str]:
        environment = single_environment(self._environment, "command")
        return self.supervisor.run_once(words[0], manage(*words), environment, cwd=self._root)

    def _must_succeed(self, *words: str) -> str:
        exit_code, output = self._manage(*words)
        if exit_code != 0:
            raise CannotStart(f"manage.py {words[0]} failed: {self.supervisor.last_words(words[0])}")
        return output

    def _describe(self, prepared: dict[str, Any]) -> None:
        self._description = DeskDescription(
            web=f"http://127.0.0.1:{self._port}",
            world=f"http://127.0.0.1:{self._world_port}" if not self._options.is_live else None,
            database_url=self._environment["DATABASE_URL"],
            redis_url=self._environment["REDIS_URL"],
            tenant=prepared.get("tenant", ""),
            staff_user=prepared.get("staff_user", ""),
            ops_token=self._environment["OPS_TOKEN"],
        )
        self._refresh_desk_file()

    def _refresh_desk_file(self) -> None:
        if self._description is not None:
            write_desk_file(self._folder.desk_file, self._description, self.supervisor.pids())

    def _addresses(self, prepared: dict[str, Any]) -> dict[str, str]:
        web = f"http://127.0.0.1:{self._port}"
        password = prepared.get("staff_password")
        rows = {
            "desk": f"{web}/desk/",
            "admin": f"{web}/admin/",
            "API": f"{web}/api/docs/",
            "health": f"{web}/health",
            "world": f"http://127.0.0.1:{self._world_port} at {self._options.speed:g} times life"
            if not self._options.is_live
            else "the real vendors",
            "tenant": prepared.get("tenant", ""),
            "staff user": prepared.get("staff_user", ""),
            "data": str(self._folder.path),
            "logs": str(self._folder.logs),
        }
        if self._flower:
            rows["Flower"] = self._flower.address
        return rows | ({"password": f"{password} (shown this once)"} if password else {})
