"""Every fault on the wire, the endpoint that sets them, and the option that brings them along."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import zlib
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from apps.sources.world.answers import Refusal
from apps.sources.world.fault_desk import FaultDesk
from apps.sources.world.fault_kinds import KINDS

MARKETS = "/gamma/markets"
DESK = "/_world/faults"


async def put(stage, *faults):
    async with stage.client.put(DESK, data=json.dumps(faults)) as answer:
        return answer.status, await answer.json()


async def put_one(stage, kind, **params):
    status, told = await put(stage, {"vendor": "gamma", "kind": kind, "params": params})
    assert status == 200, told


async def ask(stage, path=MARKETS, **options):
    async with stage.client.get(path, allow_redirects=False, **options) as answer:
        return answer.status, answer.headers, await answer.read()


@pytest.fixture
def with_fault(on_stage):
    """Run a scene on the stage after the world is told of one fault of Gamma's."""

    def run(kind, scene, **params):
        async def told(stage):
            stage.go_to(stage.world.recording.markets[0].starts_ms)
            await put_one(stage, kind, **params)
            await scene(stage)

        on_stage(told)

    return run


def test_a_status_carries_any_retry_after_also_twice(with_fault):
    async def scene(stage):
        status, headers, body = await ask(stage)
        assert (status, headers.getall("Retry-After"), body) == (429, ["7", "Wed, 21 Oct 2099 07:28:00 GMT"], b"slow down")
        assert headers["Content-Type"].startswith("text/plain")

    with_fault(
        "status",
        scene,
        status=429,
        retry_after=["7", "Wed, 21 Oct 2099 07:28:00 GMT"],
        body="slow down",
        content_type="text/plain",
    )


@pytest.mark.parametrize("status", [403, 500, 503, 521])
def test_a_status_alone(with_fault, status):
    async def scene(stage):
        got, headers, _ = await ask(stage)
        assert (got, "Retry-After" in headers) == (status, False)

    with_fault("status", scene, status=status)


@pytest.mark.parametrize("after_bytes", [0, 20])
def test_a_reset_breaks_the_connection(with_fault, after_bytes):
    async def scene(stage):
        with pytest.raises((aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)):
            await ask(stage)

    with_fault("reset", scene, after_bytes=after_bytes)


def test_a_drip_is_the_true_body_slowly(with_fault):
    async def scene(stage):
        began_s = time.monotonic()
        _, _, body = await ask(stage, "/gamma/markets/keyset?closed=true&limit=1")
        assert time.monotonic() - began_s > 0.3
        assert json.loads(body) == {"markets": []}

    with_fault("drip", scene, bytes_per_s=40)


def test_an_endless_body_does_not_end_and_holds_up_nobody(with_fault):
    async def scene(stage):
        async with stage.client.get(MARKETS) as answer:
            assert len(await answer.content.readexactly(2_000_000)) == 2_000_000
            assert (await ask(stage, "/clob/markets"))[0] == 200
        assert (await ask(stage, "/clob/markets"))[0] == 200

    with_fault("endless", scene, bytes_per_s=500_000_000)


def test_a_gzip_bomb_is_small_on_the_wire_and_large_unpacked(with_fault):
    async def scene(stage):
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            async with session.get(stage.client.make_url(MARKETS)) as answer:
                packed = await answer.read()
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(packed) < 20_000
        unpacked = gzip.decompress(packed)
        assert (len(unpacked), unpacked.strip()) == (4 * 1_048_576 + 2, b"[]")

    with_fault("gzip_bomb", scene, megabytes=4)


def test_a_cut_body_announces_its_own_length_or_that_of_the_whole(on_stage):
    async def scene(stage):
        stage.go_to(stage.world.recording.markets[0].starts_ms)
        whole = (await ask(stage))[2]
        await put_one(stage, "cut", part=0.5)
        _, headers, body = await ask(stage)
        assert (len(body), int(headers["Content-Length"])) == (len(whole) // 2, len(whole) // 2)
        await put_one(stage, "cut", part=1, content_length="wrong")
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask(stage)

    on_stage(scene)


def test_a_wall_of_html_stands_under_any_status(with_fault):
    for expected in (200, 403, 503):

        async def scene(stage, expected=expected):
            status, headers, body = await ask(stage)
            assert (status, headers["Content-Type"], body[:15]) == (expected, "text/html; charset=utf-8", b"<!DOCTYPE html>")

        with_fault("html", scene, status=expected)


def test_redirects_lead_back_or_where_told(with_fault):
    async def scene(stage):
        status, headers, _ = await ask(stage, MARKETS + "?limit=1")
        assert (status, headers["Location"]) == (302, "/gamma/markets?limit=1")
        await put_one(stage, "redirect", to="http://169.254.169.254/latest/meta-data/", status=307)
        status, headers, _ = await ask(stage)
        assert (status, headers["Location"]) == (307, "http://169.254.169.254/latest/meta-data/")

    with_fault("redirect", scene)


@pytest.mark.parametrize(
    ("kind", "params", "is_there"),
    [
        ("empty", {}, lambda body: body == b""),
        ("encoding", {"as": "bom"}, lambda body: body.startswith(b"\xef\xbb\xbf[{")),
        ("encoding", {"as": "utf-16"}, lambda body: body.startswith(b"\xff\xfe[\0")),
        ("duplicate_keys", {}, lambda body: body.startswith(b'[{"id":0,"id":')),
        ("number", {"text": "NaN"}, lambda body: b":NaN," in body),
        ("number", {"text": "9" * 5_000}, lambda body: b"9" * 5_000 in body),
        ("deep", {"depth": 200_000}, lambda body: body == b"[" * 200_000 + b"]" * 200_000),
        ("content_type", {"content_type": "image/png"}, lambda body: body.startswith(b'[{"id":"')),
        ("scaled", {}, lambda body: json.loads(body)[0]["bestAsk"] > 1),
        ("stale", {"by_s": 86_400}, lambda body: b"updatedAt" in body),
        ("wrong_types", {}, lambda body: json.loads(body)[0]["closed"] == "yes"),
        ("body", {"body": "error code: 1015", "status": 200}, lambda body: body == b"error code: 1015"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_spoilt_body_comes_with_200(with_fault, kind, params, is_there):
    async def scene(stage):
        status, headers, body = await ask(stage)
        assert (status, is_there(body)) == (200, True), body[:300]
        assert headers["Content-Type"].startswith("image/png" if kind == "content_type" else "application/json")

    with_fault(kind, scene, **params)


def test_stale_books_say_an_earlier_time(on_stage):
    async def scene(stage):
        market = stage.world.recording.markets[0]
        stage.go_to(market.starts_ms)
        path = f"/clob/book?token_id={market.tracks[0].token_id}"
        true = json.loads((await ask(stage, path))[2])
        await put(stage, {"vendor": "clob", "kind": "stale", "params": {"by_s": 600}})
        stale = json.loads((await ask(stage, path))[2])
        assert int(stale["timestamp"]) == int(true["timestamp"]) - 600_000
        assert stale | {"timestamp": true["timestamp"]} == true

    on_stage(scene)


def test_a_hidden_quota_refuses_with_the_time_until_there_is_room(on_stage):
    async def scene(stage):
        params = {"requests": 3, "window_s": 10, "style": "sliding", "retry_after": True}
        await put(stage, {"vendor": "gamma", "kind": "quota", "params": params})
        statuses = [(await ask(stage))[0] for _ in range(3)]
        stage.now_s += 4
        status, headers, _ = await ask(stage)
        assert (statuses, status, headers["Retry-After"]) == ([200, 200, 200], 429, "6")
        assert (await ask(stage, "/clob/markets"))[0] == 200
        stage.now_s += 6
        assert (await ask(stage))[0] == 200

    on_stage(scene)


def test_half_of_the_requests_within_the_window_and_none_after(on_stage):
    async def scene(stage):
        await put(stage, {"vendor": "*", "kind": "status", "share": 0.5, "from_s": 1, "until_s": 2})
        seen = []
        for moment_s in (0.5, 0.5, 0.0, 0.0, 0.0, 0.5, 0.5):
            stage.now_s += moment_s
            seen.append((await ask(stage, "/clob/markets"))[0])
        assert seen == [200, 200, 503, 200, 503, 200, 200]

    on_stage(scene)


def test_faults_are_set_shown_counted_and_cleared(on_stage):
    async def scene(stage):
        assert await stage.get(DESK) == {"elapsed_s": 0.0, "faults": []}
        status, told = await put(stage, {"vendor": "gamma", "kind": "empty"})
        assert (status, told["faults"][0]["kind"], told["faults"][0]["struck"]) == (200, "empty", 0)
        await ask(stage)
        stage.now_s += 5
        told = await stage.get(DESK)
        assert (told["elapsed_s"], told["faults"][0]["met"], told["faults"][0]["struck"]) == (5.0, 1, 1)
        assert (await stage.get("/_world/status"))["faults"] == {"empty": 1}
        async with stage.client.delete(DESK) as answer:
            assert (answer.status, await answer.json()) == (200, {"elapsed_s": 0.0, "faults": []})
        assert (await ask(stage))[2] != b""
        assert (await stage.get("/_world/status"))["faults"] == {"empty": 1}
        assert (await stage.get("/_world/status"))["requests"]["gamma"] == 2

    on_stage(scene)


def test_a_wrong_program_is_refused_and_changes_nothing(on_stage):
    async def scene(stage):
        await put(stage, {"vendor": "gamma", "kind": "empty"})
        before = await stage.get(DESK)
        status, told = await put(stage, {"vendor": "gamma", "kind": "fire"})
        assert status == 400
        assert told["error"].startswith("fault 1: kind is not one of status, reset")
        assert await stage.get(DESK) == before

    on_stage(scene)


@pytest.mark.parametrize("verb", ["show", "set", "clear"])
@pytest.mark.parametrize(("peer", "host"), [("203.0.113.5", "localhost"), ("127.0.0.1", "evil.example"), ("", "localhost")])
def test_faults_are_for_this_machine_only(on_stage, verb, peer, host):
    async def scene(stage):
        await put(stage, {"vendor": "gamma", "kind": "empty"})
        transport = Mock()
        transport.get_extra_info = {"peername": (peer, 4711) if peer else None}.get
        stranger = make_mocked_request("PUT", DESK, headers={"Host": host}, transport=transport)
        with pytest.raises(Refusal) as caught:
            await getattr(FaultDesk(stage.world), verb)(stranger)
        assert caught.value.status == 403
        assert len(stage.world.program.faults) == 1

    on_stage(scene)


def test_faults_strike_posted_questions_too(on_stage):
    async def scene(stage):
        await put(stage, {"vendor": "clob", "path": "/books", "kind": "empty"})
        async with stage.client.post("/clob/books", json=[]) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        await put(stage, {"vendor": "clob", "path": "/books", "kind": "reset"})
        with pytest.raises(aiohttp.ClientConnectionError):
            await stage.client.post("/clob/books", json=[])
        assert (await ask(stage, "/clob/markets"))[0] == 200

    on_stage(scene)


def test_a_storm_of_every_fault_leaves_the_world_standing(on_stage):
    async def scene(stage):
        await put(stage, *({"vendor": "gamma", "kind": kind, "share": 0.3, "seed": n} for n, kind in enumerate(KINDS)))

        async def one():
            try:
                async with asyncio.timeout(0.5), stage.client.get(MARKETS, allow_redirects=False) as answer:
                    async for _ in answer.content.iter_chunked(65_536):
                        if answer.content.total_raw_bytes > 1_000_000:
                            break
            except (aiohttp.ClientError, TimeoutError, OSError, zlib.error):
                return 1
            return 0

        for _ in range(10):
            await asyncio.gather(*(one() for _ in range(20)))
        async with stage.client.delete(DESK) as answer:
            assert answer.status == 200
        assert (await ask(stage))[0] == 200
        assert sum((await stage.get("/_world/status"))["faults"].values()) > 150

    on_stage(scene)
