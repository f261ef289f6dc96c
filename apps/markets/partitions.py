"""The daily partitions of `markets_quote`: made ahead, made on demand for late rows, dropped when old.

A new partition is built as a table of its own and then attached, which blocks neither readers nor writers of the
parent (CREATE TABLE … PARTITION OF would). There is no default partition: it would have to be searched on every
attach, and rows in it would never be dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from psycopg import sql

from apps.core.db import durable, lock_for_transaction, transaction, transaction_required

PARENT = "markets_quote"
NAME = re.compile(rf"^{PARENT}_(\d{{8}})$")


def name_of(day: date) -> str:
    """Return the name of a day's partition, such as `markets_quote_20261122`."""
    return f"{PARENT}_{day:%Y%m%d}"


def day_of(name: str) -> date | None:
    """Return the day of a partition's name, or None when it is not one of ours."""
    found = NAME.match(name)
    return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).date() if found else None


def attached_days() -> set[date]:
    """Return the days that have an attached partition."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass AND NOT i.inhdetachpending",
            [PARENT],
        )
        days = [day_of(name) for (name,) in cursor.fetchall()]
    return {day for day in days if day is not None}


@transaction
def ensure_ahead(*, today: date, days: int) -> tuple[date, ...]:
    """Make the missing partitions from today to `days` later and return the days that were made."""
    return ensure_days(today + timedelta(days=ahead) for ahead in range(days + 1))


@transaction_required
def ensure_days(days: Iterable[date]) -> tuple[date, ...]:
    """Make the missing partitions of these days and return the days that were made, oldest first."""
    wanted = set(days)
    if not wanted - attached_days():
        return ()
    lock_for_transaction("markets.quote-partitions")
    missing = tuple(sorted(wanted - attached_days()))
    for day in missing:
        _make(day)
    return missing


def _make(day: date) -> None:
    names = {"partition": sql.Identifier(name_of(day)), "parent": sql.Identifier(PARENT)}
    bounds = {"start": sql.Literal(_midnight(day)), "end": sql.Literal(_midnight(day + timedelta(days=1)))}
    create = sql.SQL("CREATE TABLE IF NOT EXISTS {partition} (LIKE {parent} INCLUDING DEFAULTS INCLUDING INDEXES)")
    attach = sql.SQL("ALTER TABLE {parent} ATTACH PARTITION {partition} FOR VALUES FROM ({start}) TO ({end})")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        cursor.execute(create.format(**names))
        cursor.execute(attach.format(**names, **bounds))


@durable
def drop_older_than(day: date) -> tuple[date, ...]:
    """Drop the partitions of days before `day` and return these days, oldest first.

    DETACH … CONCURRENTLY waits for readers instead of stopping them; it cannot run in a transaction. A detach that was
    cut off before is finished first.
    """
    old = tuple(sorted(found for found in _all_days() if found < day))
    for found in old:
        _drop(found)
    return old


def _all_days() -> set[date]:
    """Return the days with a partition, also of those that a crash left detached but not dropped."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE %s AND pg_table_is_visible(oid)",
            [f"{PARENT}\\_%"],
        )
        days = [day_of(name) for (name,) in cursor.fetchall()]
    return {day for day in days if day is not None}


def _drop(day: date) -> None:
    names = {"partition": sql.Identifier(name_of(day)), "parent": sql.Identifier(PARENT)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = %s::regclass", [name_of(day)])
        attached = cursor.fetchone()
        if attached is not None:
            way = sql.SQL("FINALIZE" if attached[0] else "CONCURRENTLY")
            detach = sql.SQL("ALTER TABLE {parent} DETACH PARTITION {partition} {way}")
            cursor.execute(detach.format(**names, way=way))
        cursor.execute(sql.SQL("DROP TABLE {partition}").format(**names))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
