"""Figures about PostgreSQL: connections, the pool of this process, version and extensions."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True)
class DatabaseFigures:
    """`pool_usage_percent` is that of this process's pool; without one, the share of the server's connections in use."""

    connections: int
    active: int
    connections_max: int
    pool_usage_percent: float
    pool_waiting: int


def database_figures() -> DatabaseFigures:
    """Ask the server who is connected to this database, and the pool how full it is. Raises when the server is away."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE state = 'active'), current_setting('max_connections')::int"
            " FROM pg_stat_activity WHERE datname = current_database()"
        )
        total, active, most = cursor.fetchone()
    usage_percent, waiting = pool_figures() or (100.0 * total / most, 0)
    return DatabaseFigures(
        connections=total, active=active, connections_max=most, pool_usage_percent=round(usage_percent, 1), pool_waiting=waiting
    )


def pool_figures() -> tuple[float, int] | None:
    """Return (percent of the pool in use, requests waiting for a connection) of this process; None without a pool."""
    pool = getattr(connection, "pool", None)
    if pool is None:
        return None
    stats = pool.get_stats()
    in_use = stats.get("pool_size", 0) - stats.get("pool_available", 0)
    return 100.0 * in_use / pool.max_size, stats.get("requests_waiting", 0)


def server_version() -> int:
    """Return the server's version as PostgreSQL counts it, e.g. 170010."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int")
        version: int = cursor.fetchone()[0]
        return version
