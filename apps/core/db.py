"""Transactions in three words.

`@durable`               may talk to the world; refuses to start inside a transaction, so what it commits stays committed.
`@transaction`           opens one transaction around the whole function; inside another it is a savepoint of that one,
                         and the outer decides.
`@transaction_required`  refuses to run alone: it is a part of somebody's larger change.

Each marks the function with `transaction_kind`; an architecture test asks every service for its mark.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import connection
from django.db import transaction as django_transaction

from apps.core.errors import Broken

P = ParamSpec("P")
R = TypeVar("R")

# What must still be true when an outermost `@transaction` commits; it raises when it is not, and all is rolled back.
# A worker puts the check of its fencing token here, so that one who lost its job commits nothing.
commit_guard: ContextVar[Callable[[], None] | None] = ContextVar("commit_guard", default=None)


# How many sections of `only_one` this context is in.
_sections: ContextVar[int] = ContextVar("_sections", default=0)


class InsideTransaction(Broken):
    """A durable function was called while a transaction was open: move the call out of the transaction."""

    code = "inside-transaction"
    category = "database"


class OutsideTransaction(Broken):
    """A function that is part of a larger change was called alone: call the service that opens the transaction."""

    code = "outside-transaction"
    category = "database"


def in_transaction() -> bool:
    """Return whether the present connection has an open transaction of ours.

    The wrappers that Django's `TestCase` puts around a test (marked `_from_testcase`) do not count.
    """
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def durable(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse to start inside a transaction. Raises InsideTransaction."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if in_transaction():
            raise InsideTransaction(f"{function.__qualname__} was called inside a transaction")
        return function(*args, **kwargs)

    return _marked(run, "durable")


def transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run the function in one transaction (a savepoint of the caller's when there is one).

    The outermost one asks `commit_guard`, if there is one, after the function and before the commit.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        is_outermost = not in_transaction()
        with django_transaction.atomic():
            result = function(*args, **kwargs)
            if is_outermost:
                _ask_guard()
            return result

    return _marked(run, "transaction")


def transaction_required(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse to run without the caller's transaction. Raises OutsideTransaction."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not in_transaction():
            raise OutsideTransaction(f"{function.__qualname__} needs the caller's transaction")
        return function(*args, **kwargs)

    return _marked(run, "transaction_required")


def _ask_guard() -> None:
    guard = commit_guard.get()
    # A transaction that will be rolled back anyway commits nothing, and could not answer a question any more.
    if guard is not None and not connection.needs_rollback:
        guard()


@contextmanager
def guarded_commits(guard: Callable[[], None]) -> Iterator[None]:
    """Let every outermost `@transaction` of this context commit only when `guard`, called inside it, does not raise.

    Inside another such block both are asked, the outer one first.
    """
    outer = commit_guard.get()
    before = commit_guard.set(guard if outer is None else partial(_ask_both, outer, guard))
    try:
        yield
    finally:
        commit_guard.reset(before)


def _ask_both(outer: Callable[[], None], inner: Callable[[], None]) -> None:
    outer()
    inner()


def _marked(function: Callable[P, R], kind: str) -> Callable[P, R]:
    function.transaction_kind = kind  # type: ignore[attr-defined]  # functions take attributes; typing has no word for it
    return function


def let_go() -> None:
    """Close this thread's database connection because a wait for the world has become long; the next statement opens another.

    That costs some milliseconds (a password is proved anew), so short waits keep it. A session that holds a lock of
    `only_one` stays, and so does one in a transaction: nobody waits for the world there but a test.
    """
    if not connection.in_atomic_block and not _sections.get():
        connection.close()


@contextmanager
def only_one(name: str) -> Iterator[bool]:
    """Yield whether this process is the only one in the section called `name`, across the cluster.

    Holds a PostgreSQL session lock (`pg_try_advisory_lock` over a hash of the name); a dead holder frees it at once.
    Never waits: the loser gets False and leaves.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [f"only_one:{name}"])
        row = cursor.fetchone()
        is_ours = bool(row and row[0])
    before = _sections.set(_sections.get() + is_ours)
    try:
        yield is_ours
    finally:
        _sections.reset(before)
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [f"only_one:{name}"])


def lock_for_transaction(name: str) -> None:
    """Wait for the cluster-wide lock `name` and hold it until the present transaction ends. Raises OutsideTransaction."""
    if not in_transaction():
        raise OutsideTransaction(f"lock {name} needs a transaction")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"lock:{name}"])
