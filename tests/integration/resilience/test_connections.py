"""Which connections are made: pooled, so many for each host, and only to the very addresses that were judged."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from apps.resilience import NO_RETRY, AddressRefused, Client, ConnectionFailed, MemoryStore, Policy, Request, Response
from tests.integration.resilience.upstream import serving

POLICY = Policy(key="vendor", retry=NO_RETRY)


def test_a_host_has_no_more_connections_than_its_cap_and_they_are_used_again():
    peers: set[object] = set()
    inside, most = 0, 0

    async def slow(request: web.Request) -> web.Response:
        nonlocal inside, most
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.02)
        inside -= 1
        return web.Response(body=b"{}")

    async def scene() -> list[Response]:
        server = await serving(slow)
        client = Client(store=MemoryStore(), allowed_hosts={("127.0.0.1", server.port or 0)}, per_host=3)
        request = Request(operation="ask", url=str(server.make_url("/x")))
        answers = await asyncio.gather(*(client.send(request, POLICY) for _ in range(15)))
        await client.close()
        await server.close()
        return answers

    assert [answer.status for answer in asyncio.run(scene())] == [200] * 15
    assert (most, len(peers)) == (3, 3)


def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_judged_or_not_at_all(monkeypatch):
    told = iter(["8.8.8.8", "127.0.0.1"])
    connected: list[str] = []

    def resolving(*_: object, **__: object) -> list[object]:
        return [(2, 1, 6, "", (next(told), 80))]

    async def connecting(addr_infos: list[tuple[int, int, int, str, tuple[str, int]]], **_: object) -> None:
        connected.extend(info[4][0] for info in addr_infos)
        raise OSError("nobody there")

    async def ask() -> None:
        client = Client(store=MemoryStore())
        try:
            await client.send(Request(operation="ask", url="http://rebinding.example/"), POLICY)
        finally:
            await client.close()

    monkeypatch.setattr("socket.getaddrinfo", resolving)
    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connecting)
    with pytest.raises(ConnectionFailed):
        asyncio.run(ask())
    assert connected == ["8.8.8.8"]
    with pytest.raises(AddressRefused):
        asyncio.run(ask())
    assert connected == ["8.8.8.8"]
