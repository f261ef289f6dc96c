"""Bodies over the wire: the cap, packings, bombs, cuts."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest
from aiohttp import web

from apps.resilience import BadBody, BodyTooLarge, ConnectionFailed, HttpStatus, TimedOut
from tests.integration.resilience.upstream import answering, talk


def test_a_body_above_the_cap_is_refused():
    with pytest.raises(BodyTooLarge):
        talk(answering(b"x" * 200_001), body_bytes_max=200_000)
    assert len(talk(answering(b"x" * 200_000), body_bytes_max=200_000).body) == 200_000


def test_a_body_that_never_ends_is_refused_at_the_cap():
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)
            sent += 65_536

    with pytest.raises(BodyTooLarge):
        talk(endless, body_bytes_max=1_000_000)
    assert sent < 20_000_000


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused():
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 60_000
    with pytest.raises(BodyTooLarge):
        talk(answering(bomb, headers={"Content-Encoding": "gzip"}), body_bytes_max=1_000_000)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_packed_bodies_are_unpacked(encoding, pack):
    assert talk(answering(pack(b'{"a":1}'), headers={"Content-Encoding": encoding})).body == b'{"a":1}'


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_not_what_its_encoding_says_cannot_be_read(encoding):
    with pytest.raises(BadBody):
        talk(answering(b"plain text", headers={"Content-Encoding": encoding}))


def test_a_packed_body_that_was_cut_before_it_was_sent_cannot_be_read():
    cut = gzip.compress(b'{"price": 1}' * 1_000)[:-9]
    with pytest.raises(BadBody):
        talk(answering(cut, headers={"Content-Encoding": "gzip"}))


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


def test_a_status_of_failure_carries_its_wish_and_the_start_of_its_body():
    with pytest.raises(HttpStatus) as caught:
        talk(answering(b"e" * 5_000, status=429, headers={"Retry-After": "17"}))
    assert (caught.value.status, caught.value.retry_after_s, len(caught.value.body)) == (429, 17.0, 2_000)


@pytest.mark.parametrize(
    ("body", "encoding", "start"),
    [(gzip.compress(b"sorry" * 1_000, mtime=0), "gzip", b"sorry" * 400), (b"not packed", "gzip", b""), (b"what", "br", b"")],
)
def test_a_status_of_failure_stays_one_however_its_body_is_packed(body, encoding, start):
    with pytest.raises(HttpStatus) as caught:
        talk(answering(body, status=503, headers={"Content-Encoding": encoding}))
    assert (caught.value.status, caught.value.body) == (503, start)


def test_a_status_of_failure_with_a_body_that_never_comes_keeps_its_status_and_wish():
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=429, headers={"Retry-After": "9"})
        await response.prepare(request)
        await asyncio.sleep(5)
        return response

    with pytest.raises(HttpStatus) as caught:
        talk(silent, deadline_s=4, read_s=0.2)
    assert (caught.value.status, caught.value.retry_after_s) == (429, 9.0)


def test_two_lines_of_retry_after_are_read_as_the_longer_one():
    async def twice(request: web.Request) -> web.Response:
        response = web.Response(status=429)
        response.headers.add("Retry-After", "3")
        response.headers.add("Retry-After", "8")
        return response

    with pytest.raises(HttpStatus) as caught:
        talk(twice)
    assert caught.value.retry_after_s == 8.0


def test_html_under_200_is_handed_over_as_it_is():
    assert talk(answering(b"<html>checking your browser</html>", content_type="text/html")).body.startswith(b"<html>")
