"""The faults on the wire: a middleware between the counting and the windows, obeying the world's program.

Most faults ask the window first and spoil its answer, so that a bad body is as close to a true one as it can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from types import MappingProxyType

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from apps.sources.world import fault_bodies, fault_streams
from apps.sources.world.answers import Refusal, as_json
from apps.sources.world.fault_scene import JSON, Scene, Spoiler
from apps.sources.world.world import World


def injecting(world: World) -> Middleware:
    """Return the middleware that lets the world's program of faults loose on the vendors' windows."""

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        _, vendor, rest = [*request.path.split("/", 2), ""][:3]
        now_s = world.now_s()
        strike = world.program.strike(vendor, f"/{rest}", now_s=now_s)
        if strike is None:
            return await handler(request)
        world.struck[strike.fault.kind] += 1

        async def true_body() -> bytes:
            return await _true_body(handler, request)

        return await SPOILERS[strike.fault.kind](Scene(request, true_body, strike, now_s))

    return inject


async def _true_body(handler: Handler, request: web.Request) -> bytes:
    """Return the bytes that the window would have answered, its refusals too."""
    try:
        answer = await handler(request)
    except Refusal as refusal:
        answer = as_json(refusal.body, refusal.status)
    body = answer.body if isinstance(answer, web.Response) else None
    return body if isinstance(body, bytes) else b"[]"


async def _status(scene: Scene) -> web.StreamResponse:
    answer = await _body(scene)
    for wish in scene.texts("retry_after"):
        answer.headers.add("Retry-After", wish)
    return answer


async def _body(scene: Scene) -> web.StreamResponse:
    headers = {"Content-Type": scene.text("content_type")}
    return web.Response(body=scene.text("body").encode(), status=scene.whole("status"), headers=headers)


async def _quota(scene: Scene) -> web.StreamResponse:
    answer = as_json({"error": "too many requests"}, scene.whole("status"))
    if scene.flag("retry_after"):
        answer.headers["Retry-After"] = str(max(1, ceil(scene.strike.wait_s)))
    return answer


async def _html(scene: Scene) -> web.StreamResponse:
    return web.Response(body=fault_bodies.WALL, status=scene.whole("status"), content_type="text/html", charset="utf-8")


async def _redirect(scene: Scene) -> web.StreamResponse:
    to = scene.text("to")
    place = str(scene.request.rel_url) if to == "self" else to
    return web.Response(status=scene.whole("status"), headers={"Location": place})


async def _content_type(scene: Scene) -> web.StreamResponse:
    return web.Response(body=await scene.true_body(), headers={"Content-Type": scene.text("content_type")})


def _spoilt(spoil: Callable[[bytes, Scene], bytes]) -> Spoiler:
    """Make a spoiler that answers 200 with the true body spoilt."""

    async def answer(scene: Scene) -> web.StreamResponse:
        return web.Response(body=spoil(await scene.true_body(), scene), content_type=JSON)

    return answer


SPOILERS: Mapping[str, Spoiler] = MappingProxyType(
    {
        "status": _status,
        "body": _body,
        "quota": _quota,
        "html": _html,
        "redirect": _redirect,
        "content_type": _content_type,
        "reset": fault_streams.reset,
        "cut": fault_streams.cut,
        "drip": fault_streams.drip,
        "endless": fault_streams.endless,
        "gzip_bomb": fault_streams.gzip_bomb,
        "empty": _spoilt(lambda _body, _scene: b""),
        "encoding": _spoilt(lambda body, scene: fault_bodies.encoded(body, scene.text("as"))),
        "duplicate_keys": _spoilt(lambda body, _scene: fault_bodies.with_duplicate_key(body)),
        "number": _spoilt(lambda body, scene: fault_bodies.with_number(body, scene.text("text"), every=scene.flag("every"))),
        "deep": _spoilt(lambda _body, scene: fault_bodies.deep(scene.whole("depth"), scene.text("of"))),
        "scaled": _spoilt(lambda body, scene: fault_bodies.scaled(body, scene.number("factor"), every=scene.whole("every"))),
        "wrong_types": _spoilt(lambda body, scene: fault_bodies.with_wrong_types(body, scene.whole("every"))),
        "stale": _spoilt(lambda body, scene: fault_bodies.moved_back(body, scene.number("by_s"), now_s=scene.now_s)),
    }
)
