"""Django's caches and Celery's broker under Sentinels: a killed master costs seconds, not a restart."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import caches
from django_redis import get_redis_connection
from kombu import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from project.redis_addresses import as_broker, as_cache, of_database
from tests.integration.resilience.sentinel_world import MASTER, sentinel_world, wait_until

FAILOVER_S_MAX = 30.0  # measured: 2 to 3 s with a silence of 1 s


@pytest.fixture
def world(tmp_path):
    with sentinel_world(tmp_path) as running:
        yield running


@pytest.fixture
def cached(world, settings):
    """Both caches of the desk, as they are with this world's address in REDIS_URL."""
    for name, number in (("strict", 0), ("default", 1)):
        options = {
            key: settings.CACHES[name]["OPTIONS"][key] for key in ("CLIENT_CLASS", "SOCKET_TIMEOUT", "SOCKET_CONNECT_TIMEOUT")
        }
        ours = as_cache(of_database(world.url, number), options | {"IGNORE_EXCEPTIONS": name == "default"})
        settings.CACHES = {**settings.CACHES, name: {**settings.CACHES[name], **ours}}
    yield world
    caches.close_all()


def test_the_strict_cache_goes_on_with_the_new_master(cached):
    caches["strict"].set("beat", "1")
    _wait_until_copied(cached)
    cached.kill(cached.master())
    wait_until(lambda: caches["strict"].add("another", "2"), "a value is stored", seconds=FAILOVER_S_MAX)
    assert (caches["strict"].get("beat"), caches["strict"].get("another")) == ("1", "2")
    assert get_redis_connection("strict").ping()


def test_while_there_is_no_master_the_cache_misses_and_does_not_raise(cached):
    caches["default"].set("page", "old")
    _wait_until_copied(cached)
    cached.kill(cached.master())
    assert caches["default"].get("page") is None
    wait_until(lambda: caches["default"].get("page") == "old", "the copy is found", seconds=FAILOVER_S_MAX)


def test_reads_ask_the_master_and_not_a_replica_that_lags(cached):
    caches["strict"].set("beat", "1")
    replica = next(port for port in cached.servers if port != cached.master())
    with cached.client(replica) as client:
        before = client.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"]
        for _ in range(20):
            assert caches["strict"].get("beat") == "1"
        assert client.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"] == before


def test_the_broker_goes_on_with_the_new_master(world):
    url, options = as_broker(world.url)
    assert options["master_name"] == MASTER
    with _broker(url, options) as broker:
        _put(broker, "first")
        _wait_until_copied(world)
        world.kill(world.master())
        wait_until(lambda: _put(broker, "second"), "a message is taken", seconds=FAILOVER_S_MAX)
    with _broker(url, options) as broker, broker.SimpleQueue("words") as queue:
        assert [queue.get(timeout=5).payload for _ in range(2)] == ["first", "second"]


def test_a_channel_that_is_closed_after_its_connection_has_lost_it_and_nothing_worse(clean_redis):
    with Connection(clean_redis, transport="tasks.transport:CheckedTransport") as broker:
        channel: Any = broker.default_channel
        client, broker.transport.client = broker.transport.client, None  # as Celery leaves it at a connection's end
        try:
            with pytest.raises(broker.connection_errors):
                channel._connparams()
        finally:
            broker.transport.client = client


def _broker(url: str, options: dict[str, Any]) -> Connection:
    patience = {"socket_timeout": 2, "socket_connect_timeout": 2}
    return Connection(url, transport="tasks.transport:CheckedSentinelTransport", transport_options=options | patience)


def _put(broker: Connection, word: str) -> bool:
    try:
        with broker.clone() as fresh, fresh.SimpleQueue("words") as queue:
            queue.put(word)
    except (OperationalError, RedisError, OSError):
        return False
    return True


def _wait_until_copied(world):
    replica = next(port for port in world.servers if port != world.master())
    with world.client(replica) as client:
        wait_until(lambda: bool(client.info("keyspace")), "the replica has a key")
