"""One timer for many attempts: ended when late or silent for too long, and a cancellation from outside stays one."""

from __future__ import annotations

import asyncio

import pytest

from apps.resilience.patience import SWEEP_S, Patience


async def attempt(patience: Patience, left_s: float, silence_s: float, *, lasts_s: float, news_every_s: float = 60.0) -> str:
    watch = patience.begin(left_s, silence_s)
    ends_s = asyncio.get_running_loop().time() + lasts_s
    try:
        while (rest_s := ends_s - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(rest_s, news_every_s))
            patience.heard(watch, silence_s)
    except asyncio.CancelledError:
        if watch.is_ours():
            return "late"
        raise
    finally:
        patience.end(watch)
    return "done"


def play(*attempts: tuple[float, float, float, float]) -> list[str]:
    async def scene() -> list[str]:
        patience = Patience(asyncio.get_running_loop())
        return await asyncio.gather(
            *[attempt(patience, left, silence, lasts_s=lasts, news_every_s=news) for left, silence, lasts, news in attempts]
        )

    return asyncio.run(scene())


def test_who_is_late_or_silent_for_too_long_is_ended_and_nobody_else():
    assert play((5, 5, 0.2, 60), (0.1, 5, 1, 60), (5, 0.1, 1, 60), (5, 0.2, 0.5, 0.02)) == ["done", "late", "late", "done"]


def test_the_end_comes_at_most_a_sweep_late():
    async def scene() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await attempt(Patience(loop), 0.1, 5, lasts_s=10)
        return loop.time() - began_s

    # The second sweep is room for a busy machine.
    assert 0.1 <= asyncio.run(scene()) < 0.1 + SWEEP_S * 3


def test_a_cancellation_from_outside_is_not_taken_for_our_own():
    async def scene() -> None:
        task = asyncio.create_task(attempt(Patience(asyncio.get_running_loop()), 5, 5, lasts_s=10))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())


def test_a_cancellation_from_outside_wins_when_both_come_together():
    async def scene() -> None:
        patience = Patience(asyncio.get_running_loop())
        task = asyncio.create_task(attempt(patience, 0.0, 5, lasts_s=10))
        await asyncio.sleep(0)
        patience._sweep()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())


def test_after_being_ended_a_task_goes_on_as_any_other():
    async def scene() -> tuple[str, str, int]:
        patience = Patience(asyncio.get_running_loop())
        first = await attempt(patience, 0.01, 5, lasts_s=10)
        second = await attempt(patience, 5, 5, lasts_s=0.1)
        task = asyncio.current_task()
        assert task is not None
        return first, second, task.cancelling()

    assert asyncio.run(scene()) == ("late", "done", 0)


def test_nothing_ticks_while_nothing_is_watched():
    async def scene() -> bool:
        patience = Patience(asyncio.get_running_loop())
        await attempt(patience, 5, 5, lasts_s=0.01)
        await asyncio.sleep(SWEEP_S * 2)
        return patience._timer is None

    assert asyncio.run(scene())
