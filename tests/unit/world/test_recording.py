"""The recording, against the package that ships it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.world.recording import RecordingMissing, resolution_delay_ms, sample_folder, token_id

PHASES = ("unlisted", "open", "proposed", "resolved")


def test_all_markets_and_their_payouts_are_those_of_resolvedkit(recording, peer):
    theirs = {market.market_id: market for market in peer.markets()}
    assert len(recording.markets) == 18
    assert set(recording.by_condition) == set(theirs)
    for market in recording.markets:
        their = theirs[market.condition_id]
        assert tuple(track.payout for track in market.tracks) == their.payout
        assert tuple(track.label for track in market.tracks) == their.outcomes
        assert (market.slug, market.question, market.category) == (their.slug, their.question, their.category)
        assert (market.starts_ms, market.ends_ms) == (their.start_ts, their.end_ts)


def test_every_snapshot_is_there(recording):
    assert sum(len(track.times_ms) for market in recording.markets for track in market.tracks) == 38_333


def test_books_equal_those_of_resolvedkit_at_random_instants(recording, peer):
    dice = Random(20260928)
    for market in recording.markets:
        theirs = peer.books(market.condition_id)
        for _ in range(40):
            at_ms = dice.randint(market.opens_ms, market.closes_ms + 5_000)
            for side, track in zip(("UP", "DOWN"), market.tracks, strict=True):
                standing = [book for book in theirs if book.side == side and book.ts <= at_ms][-1]
                book = track.book(at_ms)
                assert book is not None
                assert book.at_ms == standing.ts
                assert book.bids == [(level.price, level.size) for level in standing.bids]
                assert book.asks == [(level.price, level.size) for level in standing.asks]
                assert book.mid == pytest.approx(standing.mid)


def test_the_column_of_mids_is_the_mid_of_every_snapshot(recording):
    track = recording.markets[5].tracks[1]
    books = [track.book(at_ms) for at_ms in track.times_ms.tolist()]
    assert track.mids().tolist() == pytest.approx([book.mid for book in books if book])


def test_there_is_no_book_before_the_first_snapshot(recording):
    for market in recording.markets:
        for track in market.tracks:
            assert track.book(int(track.times_ms[0]) - 1) is None


def test_phases_come_in_order(recording):
    dice = Random(7)
    for market in recording.markets:
        instants = sorted(dice.randint(market.opens_ms - 10_000, market.resolves_ms + 10_000) for _ in range(200))
        steps = [PHASES.index(market.phase(at_ms)) for at_ms in instants]
        assert steps == sorted(steps)
        assert market.opens_ms < market.starts_ms < market.ends_ms < market.closes_ms < market.resolves_ms
        assert market.phase(market.ends_ms) == "open", "trading goes on after the end of the window"
        assert market.phase(market.closes_ms - 1) == "open"
        assert market.phase(market.closes_ms) == "proposed"
        assert market.phase(market.resolves_ms) == "resolved"


def test_the_tick_gets_finer_with_the_first_price_in_fractions_of_a_cent(recording):
    for market in recording.markets:
        for track in market.tracks:
            for at_ms in track.times_ms.tolist()[::7]:
                book = track.book(at_ms)
                prices = [price for price, _ in book.bids + book.asks]
                if any(abs(price * 100 - round(price * 100)) > 1e-6 for price in prices):
                    assert market.tick(at_ms) == 0.001
        assert market.tick(market.opens_ms) == 0.01


@given(st.text(min_size=1), st.sampled_from(["UP", "DOWN"]))
def test_a_token_id_has_77_digits_and_never_changes(condition_id, side):
    token = token_id(condition_id, side)
    assert len(token) == 77
    assert token.isdecimal()
    assert token[0] != "0"
    assert token == token_id(condition_id, side)


def test_token_ids_differ(recording):
    assert len(recording.by_token) == 36


@given(st.text())
def test_a_result_stays_proposed_for_20_to_40_seconds(condition_id):
    assert 20_000 <= resolution_delay_ms(condition_id) <= 40_000


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("apps.sources.world.recording.find_spec", lambda name: None)
    with pytest.raises(RecordingMissing, match="resolvedkit is not installed"):
        sample_folder()
