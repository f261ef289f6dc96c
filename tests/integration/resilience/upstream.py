"""A real server on loopback and one client that talks to it, for tests of what travels over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from apps.resilience import NO_RETRY, Client, Event, MemoryStore, Policy, Request, Response

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serving(handler: Handler, *, port: int | None = None) -> TestServer:
    """Start a server that gives every request to `handler`, on any free port unless one is named."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    server = TestServer(app, port=port)
    await server.start_server(access_log=None)
    return server


def talk(
    handler: Handler,
    *,
    allow: bool = True,
    request: dict[str, Any] | None = None,
    checks: Sequence[Callable[[Request], None]] = (),
    events: list[Event] | None = None,
    **policy: Any,
) -> Response:
    """Serve `handler`, send one request to it and return the response, or raise what the client raises."""

    async def scene() -> Response:
        server = await serving(handler)
        hosts = {("127.0.0.1", server.port or 0)} if allow else set()
        hooks = () if events is None else (events.append,)
        client = Client(store=MemoryStore(), allowed_hosts=hosts, before_request=checks, hooks=hooks)
        try:
            asked = {"operation": "ask", "url": str(server.make_url("/x")), **(request or {})}
            return await client.send(Request(**asked), Policy(key="vendor", retry=NO_RETRY, **policy))
        finally:
            await client.close()
            await server.close()

    return asyncio.run(scene())


def answering(body: bytes = b"{}", **options: Any) -> Handler:
    """Return a handler that always gives the same answer."""

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, **options)

    return handler
