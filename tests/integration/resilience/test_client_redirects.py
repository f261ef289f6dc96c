"""Redirects over the wire: followed as far as allowed, and never into the inside or with our keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from apps.resilience import AddressRefused, Client, Event, MemoryStore, Policy, RedirectRefused, Request
from apps.resilience.hooks import RedirectFollowed
from tests.integration.resilience.upstream import serving, talk


def leading(*places: str, status: int = 302):
    """Return a handler that sends /x to the first place, that to the second, and answers with the last path."""
    visits: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        visits.append(request.path)
        if len(visits) <= len(places):
            return web.Response(status=status, headers={"Location": places[len(visits) - 1]})
        return web.Response(body=request.path_qs.encode())

    return handler, visits


def test_a_redirect_is_refused_and_not_followed_unless_the_policy_allows_it():
    handler, visits = leading("/elsewhere")
    with pytest.raises(RedirectRefused):
        talk(handler)
    assert visits == ["/x"]


def test_as_many_redirects_as_allowed_are_followed_and_told():
    events: list[Event] = []
    handler, _ = leading("/y", "z?a=1")
    response = talk(handler, redirects_max=2, events=events, request={"params": (("k", "1"),)})
    assert (response.body, response.journey.redirects) == (b"/z?a=1", 2)
    told = [event for event in events if isinstance(event, RedirectFollowed)]
    assert [(event.status, event.host) for event in told] == [(302, "127.0.0.1")] * 2


def test_one_more_than_allowed_is_refused():
    handler, visits = leading("/y", "/z", "/w")
    with pytest.raises(RedirectRefused):
        talk(handler, redirects_max=2)
    assert visits == ["/x", "/y", "/z"]


def test_a_circle_is_left_at_its_second_turn():
    visits = []

    async def circle(request: web.Request) -> web.Response:
        visits.append(request.path)
        return web.Response(status=302, headers={"Location": "/b" if request.path == "/a" else "/a"})

    with pytest.raises(RedirectRefused, match="circle"):
        talk(circle, redirects_max=50)
    assert visits == ["/x", "/a", "/b"]


@pytest.mark.parametrize(
    "place",
    ["http://169.254.169.254/latest/meta-data", "http://localhost:1/", "http://[::1]:1/", "http://2130706433/", "http://①②⑦.⓪.⓪.①/",
     "http://127.0.0.1:1/", "http://user:pw@example.com/", "//10.0.0.1/x"],
)  # fmt: skip
def test_a_redirect_into_the_inside_is_refused_even_when_redirects_are_allowed(place):
    handler, visits = leading(place)
    with pytest.raises(AddressRefused):
        talk(handler, redirects_max=3)
    assert visits == ["/x"]


@pytest.mark.parametrize("place", ["ftp://example.com/", "file:///etc/passwd", "", "javascript:alert(1)"])
def test_a_redirect_to_something_else_than_http_is_refused(place):
    handler, visits = leading(place)
    with pytest.raises((AddressRefused, RedirectRefused)):
        talk(handler, redirects_max=3)
    assert visits == ["/x"]


def test_a_post_is_never_sent_on():
    handler, visits = leading("/y", status=307)
    with pytest.raises(RedirectRefused):
        talk(handler, redirects_max=3, request={"method": "POST", "json": b"{}"})
    assert visits == ["/x"]


def test_keys_stay_with_the_host_that_they_are_for():
    seen: list[dict[str, str]] = []

    async def scene() -> bytes:
        async def second(request: web.Request) -> web.Response:
            seen.append(dict(request.headers))
            return web.Response(body=b"there")

        other = await serving(second)

        async def first(request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": str(other.make_url("/there"))})

        server = await serving(first)
        hosts = {("127.0.0.1", server.port or 0), ("127.0.0.1", other.port or 0)}
        client = Client(store=MemoryStore(), allowed_hosts=hosts)
        headers = {"Authorization": "Bearer k-123456", "X-Api-Key": "k-123456", "X-Vendor-Token": "k-123456", "Accept": "text/x"}
        request = Request(operation="ask", url=str(server.make_url("/x")), headers=headers, correlation_id="c-1")
        try:
            return (await client.send(request, Policy(key="vendor", redirects_max=1))).body
        finally:
            await client.close()
            await server.close()
            await other.close()

    assert asyncio.run(scene()) == b"there"
    assert seen[0]["Accept"] == "text/x"
    assert [
        name for name in seen[0] if name.lower() in {"authorization", "x-api-key", "x-vendor-token", "x-correlation-id"}
    ] == []
    assert "k-123456" not in str(seen)


def test_the_deadline_covers_all_legs_together():
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        return web.Response(status=302, headers={"Location": f"/{len(request.path)}{request.path}"})

    options: dict[str, Any] = {"redirects_max": 50, "deadline_s": 0.35}
    with pytest.raises(Exception, match="no complete answer in time"):
        talk(slow, **options)
