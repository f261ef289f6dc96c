"""The client against a real server on loopback: time-outs, caps, addresses, redirects, broken bodies."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from apps.resilience import (
    NO_RETRY,
    AddressRefused,
    BadBody,
    BodyTooLarge,
    Client,
    ConnectionFailed,
    HttpStatus,
    MemoryStore,
    Policy,
    RedirectRefused,
    Request,
    TimedOut,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def talk(handler: Handler, *, allow: bool = True, request: dict[str, Any] | None = None, checks=(), **policy: Any):
    """Serve `handler`, send one request to it and return the response, or raise what the client raises."""

    async def scene():
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", handler)
        server = TestServer(app)
        await server.start_server()
        hosts = {("127.0.0.1", server.port or 0)} if allow else set()
        client = Client(store=MemoryStore(), allowed_hosts=hosts, before_request=checks)
        try:
            asked = {"operation": "ask", "url": str(server.make_url("/x")), **(request or {})}
            return await client.send(Request(**asked), Policy(key="vendor", retry=NO_RETRY, **policy))
        finally:
            await client.close()
            await server.close()

    return asyncio.run(scene())


def answering(body: bytes = b"{}", **options: Any) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, **options)

    return handler


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


def test_a_body_above_the_cap_is_refused():
    with pytest.raises(BodyTooLarge):
        talk(answering(b"x" * 200_001), body_bytes_max=200_000)
    assert len(talk(answering(b"x" * 200_000), body_bytes_max=200_000).body) == 200_000


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused():
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 60_000
    with pytest.raises(BodyTooLarge):
        talk(answering(bomb, headers={"Content-Encoding": "gzip"}), body_bytes_max=1_000_000)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_bodies_are_unpacked(encoding, pack):
    assert talk(answering(pack(b'{"a":1}'), headers={"Content-Encoding": encoding})).body == b'{"a":1}'


def test_a_body_that_is_not_what_its_encoding_says_cannot_be_read():
    with pytest.raises(BadBody):
        talk(answering(b"plain text", headers={"Content-Encoding": "gzip"}))


def test_a_server_that_does_not_answer_is_given_up_at_the_deadline():
    async def silent(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    with pytest.raises(TimedOut):
        talk(silent, deadline_s=0.2)


def test_a_slow_drip_does_not_outlive_the_total_deadline():
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x")
            await asyncio.sleep(0.05)
        return response

    with pytest.raises(TimedOut):
        talk(drip, deadline_s=0.4, read_s=0.2)


def test_silence_between_two_pieces_is_cut_by_the_read_timeout():
    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await asyncio.sleep(5)
        return response

    with pytest.raises(TimedOut):
        talk(stall, deadline_s=4, read_s=0.2)


def test_a_connection_cut_in_the_middle_of_a_body_is_a_failed_connection():
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    with pytest.raises(ConnectionFailed):
        talk(cut)


def test_nobody_listening_is_a_failed_connection():
    async def scene() -> None:
        client = Client(store=MemoryStore(), allowed_hosts={("127.0.0.1", 9)})
        try:
            await client.send(Request(operation="ask", url="http://127.0.0.1:9/"), Policy(key="vendor", retry=NO_RETRY))
        finally:
            await client.close()

    with pytest.raises(ConnectionFailed):
        asyncio.run(scene())


def test_a_status_of_failure_carries_its_wish_and_the_start_of_its_body():
    with pytest.raises(HttpStatus) as caught:
        talk(answering(b"e" * 5_000, status=429, headers={"Retry-After": "17"}))
    assert (caught.value.status, caught.value.retry_after_s, len(caught.value.body)) == (429, 17.0, 2_000)


def test_html_under_200_is_handed_over_as_it_is():
    assert talk(answering(b"<html>checking your browser</html>", content_type="text/html")).body.startswith(b"<html>")


def test_a_redirect_is_refused_and_not_followed():
    visits = []

    async def elsewhere(request: web.Request) -> web.Response:
        visits.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    with pytest.raises(RedirectRefused):
        talk(elsewhere)
    assert visits == ["/x"]


def test_a_redirect_is_followed_when_the_policy_allows_it():
    async def once(request: web.Request) -> web.Response:
        if request.path == "/x":
            return web.Response(status=307, headers={"Location": "/y"})
        return web.Response(body=request.path.encode())

    assert talk(once, redirects_max=1).body == b"/y"


def test_a_redirect_into_the_inside_is_refused_even_when_redirects_are_allowed():
    async def inward(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"})

    with pytest.raises(AddressRefused):
        talk(inward, redirects_max=3)


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
