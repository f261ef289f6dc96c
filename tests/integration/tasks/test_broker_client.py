"""The broker's client is made once for a channel, not once for a command."""

from __future__ import annotations

from typing import Any

from project.celery import app
from tasks.transport import CheckedRedis


def test_all_commands_of_a_channel_share_one_client(clean_redis):
    with app.connection_for_write(clean_redis) as connection:
        channel: Any = connection.default_channel  # kombu's stubs know no Redis channel
        with channel.conn_or_acquire() as one, channel.conn_or_acquire() as other:
            assert one is other
            assert isinstance(one, CheckedRedis)
            assert one.ping() is True


def test_a_channel_whose_connections_were_dropped_has_a_new_client(clean_redis):
    with app.connection_for_write(clean_redis) as connection:
        channel: Any = connection.default_channel  # kombu's stubs know no Redis channel
        with channel.conn_or_acquire() as old:
            old.ping()
        channel._disconnect_pools()
        with channel.conn_or_acquire() as new:
            assert new is not old
            assert new.connection_pool is channel.pool
            assert new.ping() is True


def test_the_client_that_reads_without_waiting_is_another_one(clean_redis):
    with app.connection_for_write(clean_redis) as connection:
        channel: Any = connection.default_channel  # kombu's stubs know no Redis channel
        with channel.conn_or_acquire() as writing:
            assert channel.client.connection_pool is channel.async_pool
            assert writing.connection_pool is channel.pool
            assert channel.pool is not channel.async_pool
