"""The client against a real server on loopback: what travels, time-outs, broken connections, addresses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from apps.resilience import (
    NO_RETRY,
    AddressRefused,
    Client,
    ConnectionFailed,
    MemoryStore,
    Policy,
    Request,
    TimedOut,
)
from apps.resilience.errors import RequestRefused
from tests.integration.resilience.upstream import answering, serving, talk


def test_a_good_answer_comes_whole_with_headers_in_lower_case():
    response = talk(answering(b'{"a":1}', headers={"X-Thing": "yes"}))
    assert (response.status, response.body, response.headers["x-thing"]) == (200, b'{"a":1}', "yes")
    assert response.received_at_s > 1_700_000_000


def test_the_question_goes_out_with_its_parameters_body_and_correlation_id():
    seen: dict[str, Any] = {}

    async def handler(request: web.Request) -> web.Response:
        seen.update(method=request.method, query=list(request.query.items()), body=await request.read())
        seen.update(
            id=request.headers["X-Correlation-ID"], kind=request.headers["Content-Type"], agent=request.headers["User-Agent"]
        )
        return web.Response(body=b"{}")

    asked = {"method": "POST", "params": (("k", "1"), ("k", "2")), "json": b"[1]", "correlation_id": "abc"}
    talk(handler, request=asked)
    assert (seen["method"], seen["query"], seen["body"]) == ("POST", [("k", "1"), ("k", "2")], b"[1]")
    assert (seen["id"], seen["kind"]) == ("abc", "application/json")
    assert "Bellwether" in seen["agent"]


def test_a_server_that_does_not_answer_is_given_up_at_the_deadline():
    async def silent(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    with pytest.raises(TimedOut):
        talk(silent, deadline_s=0.2)


def test_nobody_listening_is_a_failed_connection():
    async def scene() -> None:
        client = Client(store=MemoryStore(), allowed_hosts={("127.0.0.1", 9)})
        try:
            await client.send(Request(operation="ask", url="http://127.0.0.1:9/"), Policy(key="vendor", retry=NO_RETRY))
        finally:
            await client.close()

    with pytest.raises(ConnectionFailed):
        asyncio.run(scene())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433"])
def test_a_local_address_is_refused_unless_it_is_named_however_it_is_written(host):
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    async def scene() -> None:
        app = web.Application()
        app.router.add_get("/", handler)
        server = TestServer(app)
        await server.start_server()
        client = Client(store=MemoryStore())
        try:
            url = f"http://{host}:{server.port}/"
            await client.send(Request(operation="ask", url=url), Policy(key="vendor", retry=NO_RETRY))
        finally:
            await client.close()
            await server.close()

    with pytest.raises(AddressRefused):
        asyncio.run(scene())
    assert asked == []


def test_a_check_before_the_request_may_refuse_it():
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    def refuse(request: Request) -> None:
        raise RuntimeError("not now")

    with pytest.raises(RuntimeError, match="not now"):
        talk(handler, checks=(refuse,))
    assert asked == []


def test_a_broken_connection_is_one_attempt_and_not_repeated_behind_our_back():
    asked = []

    async def reset(request: web.Request) -> web.Response:
        asked.append(request.path)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    with pytest.raises(ConnectionFailed):
        talk(reset)
    assert asked == ["/x"]


@pytest.mark.parametrize(
    "request_",
    [
        {"headers": {"X-A": "1\r\nX-Evil: 1"}},
        {"headers": {"X-A\r\nX-Evil": "1"}},
        {"headers": {"X A": "1"}},
        {"headers": {"X-A": "a\0b"}},
        {"correlation_id": "a\nX-Evil: 1"},
        {"method": "GET / HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET"},
        {"method": ""},
    ],
)
def test_nothing_can_be_smuggled_into_a_request(request_):
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    with pytest.raises(RequestRefused):
        talk(handler, request=request_)
    assert asked == []


def test_odd_characters_in_parameters_and_path_stay_what_they_are():
    seen: dict[str, Any] = {}

    async def handler(request: web.Request) -> web.Response:
        seen.update(query=list(request.query.items()), path=request.path)
        return web.Response()

    talk(handler, request={"params": (("q", "a\r\nb&c=d+e f"),)})
    assert seen == {"query": [("q", "a\r\nb&c=d+e f")], "path": "/x"}


def test_one_client_can_be_used_in_one_event_loop_after_another():
    port = unused_port()
    client = Client(store=MemoryStore(), allowed_hosts={("127.0.0.1", port)})

    async def scene() -> int:
        server = await serving(answering(), port=port)
        request = Request(operation="ask", url=str(server.make_url("/")))
        response = await client.send(request, Policy(key="vendor", retry=NO_RETRY))
        await client.close()
        await server.close()
        return response.status

    assert [asyncio.run(scene()) for _ in range(2)] == [200, 200]
