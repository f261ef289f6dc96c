"""The live line's figures, from a real server."""

from __future__ import annotations

import psycopg
import pytest

from apps.backups.embedded import scratch_server
from project.local.counts import MOST_COUNTED, Counts

NOTHING = {"markets": 0, "quotes": 0, "forecasts": 0, "fills": 0, "settlements": 0}


@pytest.fixture(scope="module")
def server():
    with scratch_server() as made:
        yield made


@pytest.fixture
def counts(server):
    made = Counts(server.dsn)
    yield made
    made.close()


def test_tables_that_do_not_exist_yet_count_as_empty(counts):
    assert counts.read() == NOTHING


def test_rows_are_counted_also_over_partitions(server, counts):
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE markets_market (id int)")
        connection.execute("CREATE TABLE markets_quote (day int) PARTITION BY LIST (day)")
        for day in (20260101, 20260102):
            connection.execute(f"CREATE TABLE markets_quote_{day} PARTITION OF markets_quote FOR VALUES IN ({day})")
            connection.execute("INSERT INTO markets_quote SELECT %s FROM generate_series(1, 5)", [day])
        connection.execute("INSERT INTO markets_market SELECT generate_series(1, 3)")
        connection.execute("CREATE TABLE markets_quoteless (id int)")
        connection.execute("INSERT INTO markets_quoteless VALUES (1)")
    assert counts.read() == NOTHING | {"markets": 3, "quotes": 10}


def test_counting_stops_where_it_would_become_expensive(server, counts):
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE trading_fill AS SELECT generate_series(1, 100_500)")
    assert counts.read()["fills"] == MOST_COUNTED


def test_a_server_that_is_away_leaves_the_line_empty_and_comes_back(server, counts):
    assert counts.read()
    server.stop()
    assert counts.read() == {}
    server.start()
    assert set(counts.read()) == set(NOTHING)
