"""Asking for many things one by one: side by side, within a time, and keeping what came."""

from __future__ import annotations

import asyncio

import pytest

from apps.sources.errors import BadAnswer, NotAtVendor, VendorAway
from apps.sources.piecewise import one_by_one
from apps.sources.ports import Gathered


def run(question):
    return asyncio.run(question)


def test_the_first_goes_alone_and_the_others_side_by_side():
    running, most = 0, []

    async def ask(key):
        nonlocal running
        running += 1
        await asyncio.sleep(0)
        most.append(running)
        running -= 1
        return Gathered(records=(key,))

    got = run(one_by_one(("a", "b", "c", "d"), ask))
    assert (got.records, got.complete) == (("a", "b", "c", "d"), True)
    assert (most[0], max(most)) == (1, 3)


def test_what_comes_too_late_leaves_the_whole_incomplete_and_is_broken_off():
    broken_off = []

    async def ask(key):
        if key == "slow":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                broken_off.append(key)
                raise
        return Gathered(records=(key,))

    got = run(one_by_one(("a", "slow", "c"), ask, within_s=0.02))
    assert (got.records, got.complete, broken_off) == (("a", "c"), False, ["slow"])


def test_faults_of_one_key_are_named_and_its_absence_too():
    async def ask(key):
        if key == "unknown":
            raise NotAtVendor("no such thing")
        raise BadAnswer("not JSON", excerpt="<html>")

    got = run(one_by_one(("unknown", "bad"), ask))
    assert [(fault.key, fault.reason, fault.excerpt) for fault in got.rejected] == [
        ("unknown", "the vendor does not know it", "no such thing"),
        ("bad", "not JSON", "<html>"),
    ]
    assert got.complete


def test_a_failure_of_the_first_is_raised_and_a_bug_always():
    async def away(key):
        raise VendorAway("gone")

    async def broken(key):
        if key != "a":
            raise ZeroDivisionError
        return Gathered(records=(key,))

    with pytest.raises(VendorAway):
        run(one_by_one(("a", "b"), away))
    with pytest.raises(ZeroDivisionError):
        run(one_by_one(("a", "b"), broken))


def test_whoever_breaks_off_the_whole_breaks_off_every_part():
    ended = []

    async def ask(key):
        if key == "a":
            return Gathered(records=(key,))
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(key)

    async def main():
        task = asyncio.ensure_future(one_by_one(("a", "b", "c"), ask))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert ended == ["b", "c"]
