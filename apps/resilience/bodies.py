"""Unpacking bodies under a cap, without holding up the event loop.

The HTTP library hands over what came over the wire; this file unpacks it. So the cap counts unpacked bytes while they
come out, a stream that ends too early is told from a whole one, and a large body is unpacked in a thread. Only what
was asked for is taken: gzip and deflate (also the raw deflate that some servers mean); any other encoding is refused.
"""

from __future__ import annotations

import asyncio
import zlib

from apps.resilience.errors import BadBody, BodyTooLarge

ACCEPTED = "gzip, deflate"
GZIP_WINDOW, ZLIB_WINDOW, RAW_WINDOW = 31, 15, -15
IN_LOOP_BYTES = 131_072  # unpacked in well under a millisecond; more than that goes to a thread
PARTS_MAX = 64  # a gzip body may be several in a row; nobody means more than this


async def unpacked(packed: bytes, encoding: str, *, bytes_max: int) -> bytes:
    """Return the body as it was before its Content-Encoding. Raises BodyTooLarge and BadBody."""
    if not encoding or encoding == "identity":
        return packed
    window = _window(encoding, packed)
    if not packed:
        return packed
    if len(packed) <= IN_LOOP_BYTES:
        small = _unpack(packed, window, bytes_max=min(IN_LOOP_BYTES, bytes_max))
        if small is not None:
            return small
    body = await asyncio.to_thread(_unpack, packed, window, bytes_max=bytes_max)
    if body is None:
        raise BodyTooLarge(f"more than {bytes_max} bytes after unpacking")
    return body


def beginning(packed: bytes, encoding: str, *, size: int) -> bytes:
    """Return the first `size` bytes of a body, also of one that ends too early. Raises BadBody."""
    if not encoding or encoding == "identity" or not packed:
        return packed[:size]
    try:
        return zlib.decompressobj(_window(encoding, packed)).decompress(packed, size)
    except zlib.error as error:
        raise BadBody("the body cannot be unpacked") from error


def _window(encoding: str, packed: bytes) -> int:
    name = encoding.strip().lower()
    if name in ("gzip", "x-gzip"):
        return GZIP_WINDOW
    if name == "deflate":
        has_header = packed[:1] != b"" and packed[0] & 0x0F == zlib.DEFLATED
        return ZLIB_WINDOW if has_header else RAW_WINDOW
    raise BadBody(f"the body is packed in a way that was not asked for: {name[:40]}")


def _unpack(packed: bytes, window: int, *, bytes_max: int) -> bytes | None:
    """Return the unpacked body, or None as soon as it grows beyond `bytes_max`. Raises BadBody."""
    parts: list[bytes] = []
    room = bytes_max + 1  # one more than allowed, to tell a full body from one that goes on
    rest = packed
    for _ in range(PARTS_MAX):
        machine = zlib.decompressobj(window)
        try:
            parts.append(machine.decompress(rest, room))
        except zlib.error as error:
            raise BadBody("the body cannot be unpacked") from error
        room -= len(parts[-1])
        if room <= 0:
            return None
        if not machine.eof:
            raise BadBody("the packed body ends too early")
        rest = machine.unused_data
        if not rest or window != GZIP_WINDOW or not rest.strip(b"\0"):
            return b"".join(parts)
    raise BadBody("the body is packed in too many parts")
