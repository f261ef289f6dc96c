"""Sections of one process at a time that wait for the world.

`only_one` of `apps.core.db` keeps a database session for as long as its block runs: right for work in the database, wrong
while a vendor takes its time. Here a row says who is inside and until when; it is renewed while the block runs, and the
block holds no session. Who dies inside is replaced after a lease, and so is who was cut off for so long: what that one still
wants to commit with `@transaction` from inside the block is refused. What it does elsewhere cannot be taken back; a block
that writes files looks after them itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.db import connection

from apps.core.claims import StaleLease
from apps.core.db import InsideTransaction, guarded_commits, in_transaction
from apps.core.errors import Transient
from apps.core.ids import fresh_token
from apps.core.keeping import keeper

LEASE_S = 15
HOLDER_BYTES = 16
COME_AGAIN_S = 1.0
# The server's clock alone decides, so that hosts need not agree on the time.
END = f"clock_timestamp() + interval '{LEASE_S} s'"
ENTER = f"""
    INSERT INTO core_section (name, holder, until) VALUES (%(name)s, %(holder)s, {END})
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
    WHERE core_section.until <= clock_timestamp()
"""
STAY = f"UPDATE core_section SET until = {END} WHERE name = %(name)s AND holder = %(holder)s"
# Share: the renewal of this lease may wait for the commit, and so does whoever would take the section over.
CHECK = "SELECT 1 FROM core_section WHERE name = %(name)s AND holder = %(holder)s FOR SHARE"
LEAVE = "DELETE FROM core_section WHERE name = %(name)s AND holder = %(holder)s"


class SectionLost(Transient):
    """Another process may be in this section by now; whatever this one learnt inside must not be written."""

    code = "section-lost"
    category = "database"


@contextmanager
def only_one_asking(name: str) -> Iterator[bool]:
    """Yield whether this process is the only one in the section called `name`, across the cluster.

    Never waits: the loser gets False and leaves. A transaction of the block that ends when the section has been lost raises
    SectionLost and commits nothing. Raises InsideTransaction: others would wait for its end.
    """
    if in_transaction():
        raise InsideTransaction(f"section {name} was entered inside a transaction")
    holder = fresh_token(HOLDER_BYTES)
    is_ours = _changed(ENTER, name, holder) == 1
    if not is_ours:
        yield False
        return
    try:
        with keeper.keep(partial(_stay, name, holder)), guarded_commits(partial(_check, name, holder)):
            yield True
    finally:
        _changed(LEAVE, name, holder)


def _stay(name: str, holder: str) -> None:
    if _changed(STAY, name, holder) == 0:
        raise StaleLease(f"section {name} was taken over")


def _check(name: str, holder: str) -> None:
    if _changed(CHECK, name, holder) == 0:
        raise SectionLost(f"section {name} was taken over", retry_after_s=COME_AGAIN_S)


def _changed(statement: str, name: str, holder: str) -> int:
    """Return how many rows the statement changed, or found."""
    with connection.cursor() as cursor:
        cursor.execute(statement, {"name": name, "holder": holder})
        changed: int = cursor.rowcount
    return changed
