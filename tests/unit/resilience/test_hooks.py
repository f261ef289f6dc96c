"""A hook that breaks costs a line in the log: never a call, a place or the news of the other hooks."""

from __future__ import annotations

import asyncio
import logging

from apps.resilience import BulkheadRule, Client, Event, MemoryStore, Policy, Request, Response
from apps.resilience.testing import FakeClock, ScriptedUpstream

ASK = Request(operation="ask", url="https://example.com/")


def broken(event: Event) -> None:
    raise OSError("the pipe of the log is closed")


def test_a_hook_that_raises_is_logged_and_the_others_still_hear(caplog):
    heard: list[Event] = []
    clock = FakeClock()
    client = Client(store=MemoryStore(clock), clock=clock, hooks=[broken, heard.append], transport=ScriptedUpstream(b"yes"))
    with caplog.at_level(logging.ERROR, logger="apps.resilience.hooks"):
        response = asyncio.run(client.send(ASK, Policy(key="vendor")))
    assert response.body == b"yes"
    assert [type(event).__name__ for event in heard] == ["AttemptFinished"]
    assert [record.getMessage() for record in caplog.records] == ["a hook broke on AttemptFinished: OSError"]


def test_a_hook_that_raises_loses_no_place_at_the_bulkhead(caplog):
    upstream = ScriptedUpstream(b"yes", latency_s=0.001)
    client = Client(store=MemoryStore(), hooks=[broken], transport=upstream)
    policy = Policy(key="vendor", bulkhead=BulkheadRule(concurrent=1, wait_s=1.0))

    async def in_line() -> list[Response]:
        return await asyncio.gather(*(client.send(ASK, policy) for _ in range(5)))

    assert [response.body for response in asyncio.run(in_line())] == [b"yes"] * 5
    assert len(upstream.requests) == 5
