"""Errors in each vendor's own words, and who may ask for the status."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request

from apps.sources.world.answers import Refusal
from apps.sources.world.status import Status

NO_BOOK = {"error": "No orderbook exists for the requested token id"}
NO_TIME = {"error": "the time component is mandatory, please use 'startTs' and 'endTs' or 'interval'"}
TOO_LONG = {"error": "invalid filters: 'startTs' and 'endTs' interval is too long"}
DELISTED = {"code": "Not Found", "description": "No data found, symbol may be delisted"}


@pytest.mark.parametrize(
    ("path", "query", "status", "body"),
    [
        ("/clob/book", {}, 400, {"error": "Invalid token id"}),
        ("/clob/book", {"token_id": "0"}, 404, NO_BOOK),
        ("/clob/markets/0xabc", {}, 404, {"error": "market not found"}),
        ("/clob/markets", {"next_cursor": "!!"}, 400, {"error": "invalid next_cursor"}),
        ("/clob/markets", {"next_cursor": "LTE="}, 400, {"error": "invalid next_cursor"}),
        ("/clob/prices-history", {"market": "1"}, 400, NO_TIME),
        ("/clob/prices-history", {"market": "1", "startTs": "0", "endTs": "1296001"}, 400, TOO_LONG),
        ("/yahoo/v8/finance/chart/NOPE", {}, 404, {"chart": {"result": None, "error": DELISTED}}),
        (
            "/gamma/markets/keyset",
            {"offset": "1"},
            422,
            {"type": "validation error", "error": "offset is not allowed on keyset endpoints"},
        ),
    ],
)
def test_refusals_are_those_of_the_vendor(on_stage, path, query, status, body):
    async def scene(stage):
        assert await stage.refusal(path, **query) == (status, body)

    on_stage(scene)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/clob/prices-history", {}),
        ("/clob/prices-history", {"market": "1", "interval": "never"}),
        ("/clob/prices-history", {"market": "1", "startTs": "soon"}),
        ("/clob/prices-history", {"market": "1", "startTs": "0", "endTs": "-" + "9" * 400}),
        ("/clob/prices-history", {"market": "1", "interval": "max", "fidelity": "0"}),
        ("/clob/prices-history", {"market": "1", "interval": "max", "fidelity": "9" * 40}),
        ("/yahoo/v8/finance/chart/^VIX", {"interval": "1m"}),
        ("/yahoo/v8/finance/chart/^VIX", {"range": "forever"}),
        ("/yahoo/v8/finance/chart/^VIX", {"period1": "2", "period2": "1"}),
        ("/yahoo/v8/finance/chart/^VIX", {"period1": "now"}),
        ("/gamma/markets", {"limit": "9" * 5000}),
        ("/gamma/events", {"order": "tags"}),
    ],
)
def test_what_cannot_be_read_is_a_4xx_with_a_reason(on_stage, path, query):
    async def scene(stage):
        status, body = await stage.refusal(path, **query)
        assert status in (400, 422)
        assert "error" in str(body)

    on_stage(scene)


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"[1]", b'[{"token": "1"}]', b"[" * 200_000])
def test_a_broken_list_of_tokens_is_refused(on_stage, body):
    async def scene(stage):
        async with stage.client.post("/clob/books", data=body) as answer:
            assert (answer.status, await answer.json()) == (400, {"error": "Invalid payload"})

    on_stage(scene)


def test_more_than_500_tokens_are_refused(on_stage):
    async def scene(stage):
        async with stage.client.post("/clob/books", json=[{"token_id": "1"}] * 501) as answer:
            assert (answer.status, await answer.json()) == (400, {"error": "Payload exceeds the limit"})

    on_stage(scene)


def test_the_status_is_for_this_machine_only(on_stage):
    async def scene(stage):
        transport = Mock()
        transport.get_extra_info = {"peername": ("203.0.113.5", 4711)}.get
        stranger = make_mocked_request("GET", "/_world/status", transport=transport)
        with pytest.raises(Refusal) as caught:
            await Status(stage.world).status(stranger)
        assert caught.value.status == 404

    on_stage(scene)


def test_slow_and_fast_readers_are_served_side_by_side(on_stage):
    async def scene(stage):
        stage.go_to(stage.world.recording.finished_ms)
        bodies = await asyncio.gather(*(stage.get("/gamma/markets", closed="true", limit=100) for _ in range(20)))
        assert [len(body) for body in bodies] == [18] * 20

    on_stage(scene)
