"""The broker's server: one that may evict messages is refused, one that never answers holds nobody up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time

import pytest
from django.conf import settings

from apps.backups.embedded import free_port
from project.local.valkey import EmbeddedValkey
from tests.addresses import database_address
from tests.integration.tasks import worker_world as world

pytestmark = pytest.mark.django_db(transaction=True)
REQUEST_S_MAX = 10.0


@pytest.fixture
def evicting_broker(tmp_path):
    server = EmbeddedValkey(tmp_path / "valkey", port=free_port(), durable=False)
    server.prepare()
    with (tmp_path / "valkey" / "valkey.conf").open("a") as configuration:
        configuration.write("maxmemory-policy allkeys-lru\n")
    process = subprocess.Popen(server.command(), stdout=subprocess.DEVNULL)
    try:
        world.wait_until(server.is_ready, 20)
        yield server.url
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize("what", ["worker", "beat"])
def test_a_broker_that_may_evict_messages_is_refused_in_one_line_with_exit_2(evicting_broker, tmp_path, transactional_db, what):
    command = {"worker": ("worker", "-Q", "upkeep", "--concurrency", "1"), "beat": ("beat", "--pidfile=")}[what]
    environment = {**os.environ, "REDIS_URL": evicting_broker, "DATABASE_URL": database_address(), "ENVIRONMENT": "test"}
    ended = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "project", *command],
        check=False,
        env=environment,
        cwd=world.ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    said = [line for line in (ended.stdout + ended.stderr).splitlines() if "maxmemory-policy" in line]
    assert (ended.returncode, len(said)) == (2, 1)
    assert "allkeys-lru" in said[0]
    assert "Traceback" not in ended.stdout + ended.stderr


def test_the_broker_of_the_tests_is_one_that_keeps_its_keys(clean_redis):
    from tasks.broker import eviction_policy

    assert eviction_policy() == "noeviction"


RINGING = """
    import django
    django.setup()
    from apps.core import bell
    from apps.core.clock import monotonic_s
    from project.celery import app
    app.loader.import_default_modules()
    for ring in (lambda: bell.ring("tasks.settle.due"), lambda: app.tasks["tasks.settle.due"].delay()):
        started_s = monotonic_s()
        try:
            ring()
            outcome = "returned"
        except Exception as error:
            outcome = type(error).__name__
        print(outcome, monotonic_s() - started_s)
"""


def test_a_broker_that_never_answers_holds_a_request_for_less_than_ten_seconds(transactional_db):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        environment = {
            **os.environ,
            "REDIS_URL": f"redis://127.0.0.1:{port}/0",
            "DATABASE_URL": database_address(),
            "ENVIRONMENT": "test",
            "DJANGO_SETTINGS_MODULE": "project.settings",
        }
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(RINGING)],
            check=False,
            env=environment,
            cwd=world.ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
    said = [line.split() for line in ended.stdout.splitlines() if line.split()[0] in ("returned", "OperationalError")]
    assert [outcome for outcome, _ in said] == ["returned", "OperationalError"], ended.stdout + ended.stderr
    took = [float(seconds) for _, seconds in said]
    print(took)
    assert max(took) < REQUEST_S_MAX


def test_a_connection_that_falls_silent_holds_a_request_for_less_than_ten_seconds(clean_redis, transactional_db):
    """The server answers, then goes silent without a word: as behind a firewall that forgot the connection."""
    import threading

    url = settings.BROKER_REDIS_URL
    host, port = url.rpartition("@")[2].removeprefix("redis://").split("/")[0].split(":")
    is_cut = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as door:

        def pump(source, target):
            try:
                while data := source.recv(65536):
                    if is_cut.is_set():
                        time.sleep(60)
                        return
                    target.sendall(data)
            except OSError:
                return

        def serve():
            while True:
                try:
                    caller, _ = door.accept()
                except OSError:
                    return
                server = socket.create_connection((host, int(port)))
                for pair in ((caller, server), (server, caller)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        from project.celery import app

        through = url.replace(f":{port}/", f":{door.getsockname()[1]}/")
        with app.connection_for_write(through) as connection, app.amqp.Producer(connection) as producer:
            app.send_task("tasks.settle.due", producer=producer, retry=False)
            is_cut.set()
            started_s = time.monotonic()
            with pytest.raises(Exception):  # noqa: B017, PT011 - which error is the client's business; how long it takes is ours
                app.send_task("tasks.settle.due", producer=producer, retry=False)
            took_s = time.monotonic() - started_s
    print(took_s)
    assert took_s < REQUEST_S_MAX
