"""Answers that are kept: served, revalidated over real HTTP, shared by callers, and standing in for a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from apps.resilience import (
    NO_RETRY,
    CacheRule,
    Client,
    Event,
    HttpStatus,
    MemoryCache,
    MemoryStore,
    Policy,
    RedirectRefused,
    Request,
    StaleCache,
)
from apps.resilience.exchange import Answer
from apps.resilience.hooks import AnswerRevalidated
from apps.resilience.keeping import cache_key, conditions
from apps.resilience.testing import FakeClock, ScriptedUpstream
from tests.integration.resilience.upstream import Handler, serving

RULE = CacheRule(fresh_s=60, early_beta=0)
ASK = Request(operation="ask", url="https://vendor.example/x")


def policy(**options: Any) -> Policy:
    return Policy(key="vendor", cache=RULE, retry=NO_RETRY, **options)


class Desk:
    """A client with a cache in memory, a clock that jumps and a scripted other side."""

    def __init__(self, *script: Any) -> None:
        self.clock = FakeClock()
        self.upstream = ScriptedUpstream(*script, clock=self.clock)
        self.events: list[Event] = []
        store = MemoryStore(self.clock)
        cache = StaleCache(store=MemoryCache(clock=self.clock), clock=self.clock)
        self.client = Client(store=store, clock=self.clock, cache=cache, transport=self.upstream, hooks=(self.events.append,))

    def play(self, *ages_s: float, request: Request = ASK, **options: Any) -> list[Any]:
        """Ask once at each of the ages and return the answers; a failure is one too."""

        async def scene() -> list[Any]:
            answers: list[Any] = []
            for age_s in ages_s:
                self.clock.advance(1_700_000_000.0 + age_s - self.clock.now_s())
                try:
                    answers.append(await self.client.send(request, policy(**options)))
                except Exception as error:
                    answers.append(error)
            await self.client.close()
            return answers

        return asyncio.run(scene())


def answer(body: bytes, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=200, headers=named, body=body, received_at_s=1_700_000_000.0)


def not_modified(request: Request) -> Answer:
    return Answer(status=304, headers={}, body=b"", received_at_s=0.0)


def test_a_kept_answer_is_served_without_a_call_and_says_so():
    desk = Desk(answer(b"yes", content_type="text/plain", set_cookie="a=b"))
    first, second = desk.play(0, 59)
    assert len(desk.upstream.requests) == 1
    assert (first.body, first.journey.attempts, first.journey.grade) == (b"yes", 1, "fresh")
    assert (second.body, second.journey.attempts, second.journey.grade) == (b"yes", 0, "fresh")
    assert (second.status, second.headers, second.received_at_s) == (200, {"content-type": "text/plain"}, 1_700_000_000.0)


def test_an_old_answer_is_asked_about_with_its_marks_and_renewed_by_not_modified():
    desk = Desk(answer(b"yes", etag='W/"v1"', last_modified="Sun, 06 Nov 1994 08:49:37 GMT"), not_modified)
    _, second, third = desk.play(0, 61, 120)
    asked = desk.upstream.requests[1].headers
    assert asked == {"If-None-Match": 'W/"v1"', "If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert (second.body, second.status, second.journey.revalidated, second.journey.attempts) == (b"yes", 200, True, 1)
    assert (third.journey.attempts, third.journey.revalidated, len(desk.upstream.requests)) == (0, False, 2)
    told = [event for event in desk.events if isinstance(event, AnswerRevalidated)]
    assert told == [AnswerRevalidated(key="vendor", operation="ask")]


def test_an_answer_that_changed_takes_the_place_of_the_old_one():
    desk = Desk(answer(b"old", etag='"1"'), answer(b"new", etag='"2"'))
    answers = desk.play(0, 61, 62)
    assert [response.body for response in answers] == [b"old", b"new", b"new"]
    assert answers[1].journey.revalidated is False


def test_when_the_other_side_fails_the_kept_answer_stands_in_with_the_reason():
    desk = Desk(answer(b"yes"), HttpStatus(503))
    _, aged, stale = desk.play(0, 3_600, 86_401)
    assert (aged.body, aged.journey.grade, aged.journey.attempts) == (b"yes", "aged", 1)
    assert "503" in aged.journey.stale_reason
    assert (stale.body, stale.journey.grade) == (b"yes", "stale")


def test_with_nothing_kept_the_failure_is_raised_with_its_journey():
    (error,) = Desk(HttpStatus(503)).play(0)
    assert isinstance(error, HttpStatus)
    assert error.journey is not None
    assert error.journey.attempts == 1


def test_a_lasting_failure_is_remembered_for_a_while():
    desk = Desk(HttpStatus(404))
    answers = desk.play(0, 29, 31)
    assert [error.status for error in answers] == [404, 404, 404]
    assert len(desk.upstream.requests) == 2


@pytest.mark.parametrize(
    "request_",
    [
        Request(operation="ask", url="https://vendor.example/x", method="POST", json=b"{}"),
        Request(operation="ask", url="https://vendor.example/x", repeatable=False),
    ],
)
def test_what_is_more_than_a_question_always_goes_out(request_):
    desk = Desk(answer(b"yes"))
    desk.play(0, 1, request=request_)
    assert len(desk.upstream.requests) == 2


def test_force_goes_past_the_kept_answer():
    async def scene(desk: Desk) -> list[bytes]:
        bodies = [(await desk.client.send(ASK, policy())).body, (await desk.client.send(ASK, policy(), force=True)).body]
        await desk.client.close()
        return bodies

    assert asyncio.run(scene(Desk(b"one", b"two"))) == [b"one", b"two"]


def test_many_callers_of_one_question_share_one_call():
    desk = Desk(b"yes")

    async def scene() -> list[int]:
        responses = await asyncio.gather(*[desk.client.send(ASK, policy()) for _ in range(200)])
        await desk.client.close()
        return [response.journey.attempts for response in responses]

    assert sorted(asyncio.run(scene()))[-2:] == [0, 1]
    assert len(desk.upstream.requests) == 1


def test_a_policy_with_a_rule_needs_a_client_with_a_cache():
    async def scene() -> None:
        client = Client(store=MemoryStore(), transport=ScriptedUpstream(b"yes"))
        await client.send(ASK, policy())

    with pytest.raises(ValueError, match="cache"):
        asyncio.run(scene())


def test_the_key_of_a_question_hides_its_secrets_and_tells_questions_apart():
    with_key = Request(operation="ask", url="https://vendor.example/x", params=(("apikey", "k-123456"),))
    other = Request(operation="ask", url="https://vendor.example/x", headers={"X-Key": "k-123456"})
    keys = [cache_key(request, policy()) for request in (ASK, with_key, other)]
    assert len(set(keys)) == 3
    assert all(key.startswith("vendor:ask:") and "k-123456" not in key for key in keys)
    assert keys[0] == cache_key(Request(operation="ask", url="https://vendor.example/x", correlation_id="other"), policy())


def test_an_answer_without_marks_is_asked_for_again_whole():
    assert conditions({"content-type": "x", "etag": ""}) == {}


def over_http(handler: Handler, scene: Callable[[Client, str], Awaitable[Any]]) -> Any:
    async def play() -> Any:
        server = await serving(handler)
        cache = StaleCache(store=MemoryCache())
        client = Client(store=MemoryStore(), cache=cache, allowed_hosts={("127.0.0.1", server.port or 0)})
        try:
            return await scene(client, str(server.make_url("/x")))
        finally:
            await client.close()
            await server.close()

    return asyncio.run(play())


def test_revalidation_works_over_the_wire_and_saves_the_body():
    statuses = []

    async def handler(request: web.Request) -> web.StreamResponse:
        is_known = request.headers.get("If-None-Match") == '"v1"'
        statuses.append(304 if is_known else 200)
        return web.Response(status=304) if is_known else web.Response(body=b"x" * 1_000, headers={"ETag": '"v1"'})

    async def scene(client: Client, url: str) -> list[tuple[int, bool]]:
        rule = Policy(key="vendor", cache=CacheRule(fresh_s=0, early_beta=0))
        responses = [await client.send(Request(operation="ask", url=url), rule) for _ in range(3)]
        return [(len(response.body), response.journey.revalidated) for response in responses]

    assert over_http(handler, scene) == [(1_000, False), (1_000, True), (1_000, True)]
    assert statuses == [200, 304, 304]


def test_not_modified_without_a_question_about_it_is_no_answer():
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=304)

    async def scene(client: Client, url: str) -> None:
        with pytest.raises(RedirectRefused):
            await client.send(Request(operation="ask", url=url), policy(redirects_max=2))

    over_http(handler, scene)
