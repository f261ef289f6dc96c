"""The life of the recorded markets as a client sees it, at any speed."""

from __future__ import annotations

import json
from datetime import datetime
from random import Random

import pytest


@pytest.mark.parametrize("speed", [Random(seed).uniform(1, 600) for seed in range(4)])
def test_every_market_appears_closes_and_resolves_in_order(on_stage, speed):
    async def scene(stage):
        for market in stage.world.recording.markets:
            stories = [await seen_at(stage, market, at_ms) for at_ms in moments_of(market)]
            assert stories == ["unlisted", "open", "open", "open", "closed proposed", "closed proposed", "closed resolved"]

    on_stage(scene, speed)


def moments_of(market):
    return (
        market.opens_ms - 2,
        market.opens_ms,
        market.ends_ms + 1,
        market.closes_ms - 2,
        market.closes_ms,
        market.resolves_ms - 2,
        market.resolves_ms,
    )


async def seen_at(stage, market, at_ms):
    """Ask the way a watch-list does and tell in words what Gamma says; the CLOB must agree."""
    stage.go_to(at_ms)
    shown = []
    for closed in ("false", "true"):
        shown += await stage.get("/gamma/markets", condition_ids=market.condition_id, closed=closed)
    status, _ = await stage.refusal("/clob/book", token_id=market.tracks[0].token_id)
    if not shown:
        assert status == 404
        return "unlisted"
    assert len(shown) == 1
    assert shown[0]["acceptingOrders"] is (status == 200) is not shown[0]["closed"]
    return f"closed {shown[0]['umaResolutionStatus']}" if shown[0]["closed"] else "open"


def test_nothing_on_the_wire_lies_in_the_future(on_stage):
    async def scene(stage):
        dice = Random(3)
        recording = stage.world.recording
        for _ in range(30):
            stage.go_to(dice.randint(recording.begins_ms, recording.finished_ms))
            for market in await stage.get("/gamma/markets", closed="false", limit=100):
                for name in ("createdAt", "startDate", "updatedAt"):
                    assert datetime.fromisoformat(market[name]).timestamp() <= stage.now_s
            tokens = [{"token_id": token} for token in recording.by_token]
            async with stage.client.post("/clob/books", json=tokens) as answer:
                assert all(int(book["timestamp"]) <= stage.now_s * 1000 for book in await answer.json())

    on_stage(scene)


def test_at_the_end_every_result_is_the_recorded_one(on_stage):
    async def scene(stage):
        stage.go_to(stage.world.recording.finished_ms)
        resolved = await stage.get("/gamma/markets", closed="true", limit=100)
        assert len(resolved) == 18
        for market in resolved:
            truth = stage.world.recording.by_condition[market["conditionId"]]
            assert json.loads(market["outcomePrices"]) == [f"{track.payout:g}" for track in truth.tracks]
            assert market["automaticallyResolved"] is True
        assert await stage.get("/gamma/markets") == []
        assert (await stage.get("/_world/status"))["finished"] is True

    on_stage(scene)


def test_books_on_the_wire_are_the_recorded_ones_best_level_last(on_stage):
    async def scene(stage):
        dice = Random(11)
        for market in stage.world.recording.markets:
            stage.go_to(dice.randint(market.opens_ms, market.closes_ms - 1))
            at_ms = stage.world.at_ms()
            for track in market.tracks:
                book = await stage.get("/clob/book", token_id=track.token_id)
                truth = track.book(at_ms)
                assert [(float(level["price"]), float(level["size"])) for level in book["bids"]][::-1] == truth.bids
                assert [(float(level["price"]), float(level["size"])) for level in book["asks"]][::-1] == truth.asks
                assert book["market"] == market.condition_id
                assert book["asset_id"] == track.token_id
                assert int(book["timestamp"]) == stage.world.timeline.wire_ms(truth.at_ms)

    on_stage(scene)


def test_books_by_post_leave_out_what_has_no_book(on_stage):
    async def scene(stage):
        first, last = stage.world.recording.markets[0], stage.world.recording.markets[-1]
        stage.go_to(first.starts_ms)
        wanted = [first.tracks[1].token_id, last.tracks[0].token_id, "12345", first.tracks[0].token_id]
        async with stage.client.post("/clob/books", json=[{"token_id": token} for token in wanted]) as answer:
            books = await answer.json()
        assert [book["asset_id"] for book in books] == [wanted[0], wanted[3]]
        assert len({book["hash"] for book in books}) == 2

    on_stage(scene)


@pytest.mark.parametrize("path", ["markets", "events"])
def test_keyset_paging_returns_each_market_once(on_stage, path):
    async def scene(stage):
        stage.go_to(stage.world.recording.finished_ms)
        seen, cursor, pages = [], None, 0
        while cursor or not pages:
            query = {"closed": "true", "limit": "5", "order": "endDate", "ascending": "false"}
            body = await stage.get(f"/gamma/{path}/keyset", **query, **({"after_cursor": cursor} if cursor else {}))
            seen += [row["slug"] for row in body[path]]
            cursor = body.get("next_cursor")
            pages += 1
        assert pages == 4
        assert seen == [market.slug for market in reversed(stage.world.recording.markets)]

    on_stage(scene)


def test_clob_markets_name_the_winner_only_when_it_is_final(on_stage):
    async def scene(stage):
        market = stage.world.recording.markets[0]
        winners = []
        for at_ms in (market.ends_ms, market.closes_ms, market.resolves_ms):
            stage.go_to(at_ms)
            shown = await stage.get(f"/clob/markets/{market.condition_id}")
            winners.append([token["outcome"] for token in shown["tokens"] if token["winner"]])
        assert winners == [[], [], ["Down"]]
        page = await stage.get("/clob/markets")
        assert page["next_cursor"] == "LTE="
        assert page["count"] == len(page["data"]) == len(stage.world.listed(stage.world.at_ms()))

    on_stage(scene)


def test_price_history_is_the_recorded_mids_up_to_now(on_stage):
    async def scene(stage):
        market = stage.world.recording.markets[3]
        track = market.tracks[0]
        stage.go_to(market.starts_ms + 400_000)
        body = await stage.get("/clob/prices-history", market=track.token_id, interval="max", fidelity="1")
        moments = [point["t"] for point in body["history"]]
        assert moments == sorted(set(moments))
        played_ms = [at_ms for at_ms in track.times_ms.tolist() if at_ms <= stage.world.at_ms()]
        assert len(moments) == len({(at_ms - played_ms[0]) // 60_000 for at_ms in played_ms}), "one point a recorded minute"
        assert moments[-1] <= stage.now_s
        assert body["history"][-1]["p"] == pytest.approx(track.book(stage.world.at_ms()).mid)
        later = await stage.get(
            "/clob/prices-history", market=track.token_id, startTs=str(moments[5]), endTs=str(moments[-1] + 1)
        )
        assert later["history"] == body["history"][5:]
        assert await stage.get("/clob/prices-history", market="1", interval="1h") == {"history": []}

    on_stage(scene, 6.0)


def test_bars_come_one_by_one_and_are_final(on_stage):
    async def scene(stage):
        for played in range(3):
            stage.go_to(stage.world.recording.begins_ms + played * 600_000)
            chart = (await stage.get("/yahoo/v8/finance/chart/^GSPC", interval="1d", range="max"))["chart"]["result"][0]
            quote = chart["indicators"]["quote"][0]
            assert {len(column) for column in quote.values()} == {len(chart["timestamp"])} == {750 + played}
            assert chart["meta"]["regularMarketTime"] == chart["timestamp"][-1] <= stage.now_s
            assert chart["meta"]["currentTradingPeriod"]["regular"]["end"] == chart["timestamp"][-1]
            assert chart["meta"]["longName"] == "S&P 500 (recorded daily closes 1999–2018, one bar every 10.0 s)"
            assert (await stage.get("/_world/status"))["bars_played"] == played

    on_stage(scene, 60.0)


def test_chart_windows(on_stage):
    async def scene(stage):
        chart = "/yahoo/v8/finance/chart/CL=F"
        month = (await stage.get(chart, range="1mo"))["chart"]["result"][0]
        assert len(month["timestamp"]) == 21
        assert set(month["indicators"]["quote"][0]["volume"]) == {None}
        window = await stage.get(chart, period1=str(month["timestamp"][3]), period2=str(month["timestamp"][6]))
        assert window["chart"]["result"][0]["timestamp"] == month["timestamp"][3:6]
        empty = (await stage.get(chart, period1="0", period2="1"))["chart"]["result"][0]
        assert "timestamp" not in empty
        assert empty["indicators"]["quote"] == [{}]

    on_stage(scene)


def test_status_counts_requests_by_vendor(on_stage):
    async def scene(stage):
        await stage.get("/gamma/markets")
        await stage.get("/gamma/events")
        await stage.refusal("/clob/book", token_id="1")
        async with stage.client.get("/nobody/knows") as answer:
            assert answer.status == 404
        status = await stage.get("/_world/status")
        assert status["requests"] == {"gamma": 2, "clob": 1, "yahoo": 0}
        assert status["state"] == "playing"
        assert status["position_at"].startswith("2026-09-28T08:4")
        assert len(status["markets"]) == 18
        assert status["markets"][3]["payouts"] == {"Up": "1", "Down": "0"}

    on_stage(scene)
