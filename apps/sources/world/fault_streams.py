"""Faults of the connection: answers that break off, crawl, or never end."""

from __future__ import annotations

import socket
import struct
import zlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from apps.resilience.clock import SystemClock
from apps.sources.world.fault_scene import JSON, Scene

ENDLESS_CHUNK = b'{"id":"0"},' * 1_000
BOMB_CHUNK = b" " * 1_048_576  # JSON allows any number of spaces: nothing is wrong but the amount
BOMB_LIST = b"[]"
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
BLOCKS_AT_ONCE = 32
BREATH_S = 0.001  # so that one flood does not keep the others from being served
DRIPS_PER_S = 20
CLOCK = SystemClock()


async def reset(scene: Scene) -> web.StreamResponse:
    """Break the connection hard (RST), before the answer or after some bytes of its body."""
    sent = scene.whole("after_bytes")
    if not sent:
        _break(scene.request)
        return web.Response()
    body = await scene.true_body()
    answer = await _begun(scene, len(body) + 1)
    await answer.write(body[:sent])
    _break(scene.request)
    return answer


async def cut(scene: Scene) -> web.StreamResponse:
    """Send a part of the body; its length is announced truly, or as that of the whole and the connection closed."""
    body = await scene.true_body()
    part = body[: min(len(body) - 1, int(len(body) * scene.number("part")))]
    if scene.text("content_length") == "right":
        return web.Response(body=part, content_type=JSON)
    answer = await _begun(scene, len(body))
    await answer.write(part)
    if scene.request.transport is not None:
        scene.request.transport.close()
    return answer


async def drip(scene: Scene) -> web.StreamResponse:
    """Send the true body slowly."""
    body, bytes_per_s = await scene.true_body(), scene.number("bytes_per_s")
    size = max(1, round(bytes_per_s / DRIPS_PER_S))
    answer = await _begun(scene, len(body))

    async def send() -> None:
        for start in range(0, len(body), size):
            await answer.write(body[start : start + size])
            await CLOCK.sleep_s(size / bytes_per_s)

    return await _until_gone(answer, send)


async def endless(scene: Scene) -> web.StreamResponse:
    """Send rows for as long as anybody listens."""
    pause_s = max(BREATH_S, len(ENDLESS_CHUNK) / scene.number("bytes_per_s"))
    answer = await _begun(scene, None)

    async def send() -> None:
        await answer.write(b"[")
        while True:
            await answer.write(ENDLESS_CHUNK)
            await CLOCK.sleep_s(pause_s)

    return await _until_gone(answer, send)


async def gzip_bomb(scene: Scene) -> web.StreamResponse:
    """Send spaces, compressed a thousand to one, then an empty list; a whole and true gzip body for who unpacks it all."""
    answer = await _begun(scene, None, encoding="gzip")
    megabytes = scene.whole("megabytes")

    async def send() -> None:
        await answer.write(GZIP_HEAD)
        for start in range(0, megabytes, BLOCKS_AT_ONCE):
            await answer.write(BOMB_BLOCK * min(BLOCKS_AT_ONCE, megabytes - start))
            await CLOCK.sleep_s(BREATH_S)
        await answer.write(BOMB_END + _gzip_tail(megabytes))

    return await _until_gone(answer, send)


def _gzip_tail(megabytes: int) -> bytes:
    """Return the checksum and the size that close the body."""
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(BOMB_CHUNK, checksum)
    size = (megabytes * len(BOMB_CHUNK) + len(BOMB_LIST)) % 2**32
    return struct.pack("<II", zlib.crc32(BOMB_LIST, checksum), size)


def _deflated(data: bytes, flush: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush(flush)


async def _begun(scene: Scene, length: int | None, *, encoding: str = "") -> web.StreamResponse:
    """Send the head of a 200 and return the answer, to be written bit by bit."""
    answer = web.StreamResponse(headers={"Content-Type": JSON} | ({"Content-Encoding": encoding} if encoding else {}))
    answer.content_length = length
    await answer.prepare(scene.request)
    return answer


async def _until_gone(answer: web.StreamResponse, send: Callable[[], Awaitable[None]]) -> web.StreamResponse:
    """Send until done or until the other side has gone, which is what most do with these bodies."""
    try:
        await send()
    except ConnectionError:
        answer.force_close()
    return answer


def _break(request: web.Request) -> None:
    """Close the connection with a reset instead of a farewell: nothing lingers."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


# A block that ends with a full flush stands alone: the bomb is one block many times over, packed once.
BOMB_BLOCK = _deflated(BOMB_CHUNK, zlib.Z_FULL_FLUSH)
BOMB_END = _deflated(BOMB_LIST, zlib.Z_FINISH)
