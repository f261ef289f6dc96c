"""What the broker's server may evict: the doctor and the start of workers and beat say the same of each policy."""

from __future__ import annotations

import subprocess

import pytest
import redis
from celery import current_app
from kombu import Connection

from apps.backups.embedded import free_port
from apps.monitoring.examination import redis_eviction
from project.local.valkey import EmbeddedValkey
from tasks.broker import refuse_evicting_broker
from tests.integration.tasks.worker_world import wait_until

KINDS = ("lru", "lfu", "random")
POLICIES = ["noeviction", "volatile-ttl", *(f"{keys}-{kind}" for keys in ("volatile", "allkeys") for kind in KINDS)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = EmbeddedValkey(tmp_path_factory.mktemp("valkey"), port=free_port(), durable=False)
    found.prepare()
    process = subprocess.Popen(found.command(), stdout=subprocess.DEVNULL)
    try:
        wait_until(found.is_ready, 20)
        yield found.url
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def broker(server, settings, monkeypatch):
    """Let the desk take this server for its broker; the client sets its policy."""
    settings.CACHES = {**settings.CACHES, "strict": {**settings.CACHES["strict"], "LOCATION": server}}
    monkeypatch.setattr(current_app, "connection_for_read", lambda: Connection(server))
    with redis.Redis.from_url(server) as client:
        yield client


def ends_with() -> object:
    """Return the exit code with which a worker or beat ends at its start; 0 when it goes on."""
    try:
        refuse_evicting_broker()
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.parametrize("policy", POLICIES)
def test_the_doctor_is_content_with_what_starts_and_with_nothing_else(broker, capsys, policy):
    broker.config_set("maxmemory-policy", policy)
    finding = redis_eviction()
    assert finding.found == f"maxmemory-policy {policy}"
    assert (finding.is_good, ends_with()) == ((False, 2) if policy.startswith("allkeys") else (True, 0))
    assert bool(finding.hint) == (policy != "noeviction")
    assert (policy in capsys.readouterr().err) == (not finding.is_good)


def test_of_keys_that_expire_the_doctor_remarks_what_may_be_forgotten(broker):
    broker.config_set("maxmemory-policy", "volatile-lru")
    finding = redis_eviction()
    assert finding.is_good
    assert finding.hint == "it keeps messages, but may forget limits and breakers when memory is full; noeviction is better"
