"""Asking one vendor for many things that it only answers one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from apps.core.errors import DeskError
from apps.sources.errors import BadAnswer, NotAtVendor
from apps.sources.ports import Gathered
from apps.sources.types import Rejected

T = TypeVar("T")
WITHIN_S = 15.0


async def one_by_one(
    keys: Sequence[str], ask: Callable[[str], Awaitable[Gathered[T]]], *, within_s: float = WITHIN_S
) -> Gathered[T]:
    """Ask for the first key, then for all others at once, and put together what was answered within `within_s` seconds.

    The first goes alone so that a vendor that is away or refuses us is asked once, not once for each key: its failure
    is raised. Later, a key that the vendor does not know or answers badly is rejected by name, and one that failed
    otherwise, or came too late, leaves the whole incomplete.
    """
    if not keys:
        return Gathered()
    first = await _answered(keys[0], ask)
    tasks = [asyncio.ensure_future(_answered(key, ask)) for key in keys[1:]]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        first = first.plus(_outcome_of(task))
    return first


async def _answered(key: str, ask: Callable[[str], Awaitable[Gathered[T]]]) -> Gathered[T]:
    try:
        return await ask(key)
    except NotAtVendor as error:
        return Gathered(rejected=(Rejected(reason="the vendor does not know it", excerpt=str(error), key=key),))
    except BadAnswer as error:
        return Gathered(rejected=(Rejected(reason=error.reason, excerpt=error.excerpt, key=key),))


def _outcome_of(task: asyncio.Future[Gathered[T]]) -> Gathered[T]:
    """Return what a finished task gave; one that failed or was broken off gave nothing. Raises what is not the room's."""
    if task.cancelled():
        return Gathered(complete=False)
    error = task.exception()
    if error is None:
        return task.result()
    if not isinstance(error, DeskError):
        raise error
    return Gathered(complete=False)
