"""The mapping of recorded time to wire time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.world.timeline import CRASH_GAP_S, Place, Timeline, as_iso, as_postgres, resumed

BEGINS_MS = 1_790_585_112_649
speeds = st.floats(min_value=0.1, max_value=1_000)
moments_ms = st.integers(min_value=BEGINS_MS, max_value=BEGINS_MS + 20_000_000)
anchors_s = st.floats(min_value=1.5e9, max_value=2.5e9)


@given(anchors_s, speeds, moments_ms, st.floats(min_value=0, max_value=1e6))
def test_what_has_happened_never_carries_a_time_of_the_future(anchor_s, speed, event_ms, elapsed_s):
    timeline = Timeline(anchor_s, BEGINS_MS, speed)
    now_s = anchor_s + elapsed_s
    if timeline.recorded_ms(now_s) >= event_ms:
        assert timeline.wire_ms(event_ms) <= now_s * 1000


@given(anchors_s, speeds, moments_ms, moments_ms)
def test_the_order_of_events_is_kept(anchor_s, speed, one_ms, other_ms):
    timeline = Timeline(anchor_s, BEGINS_MS, speed)
    earlier, later = sorted((one_ms, other_ms))
    assert timeline.wire_ms(earlier) <= timeline.wire_ms(later)
    assert timeline.wire_s(earlier) <= timeline.wire_s(later)


@given(anchors_s, speeds, moments_ms)
def test_there_and_back_loses_at_most_what_one_millisecond_holds(anchor_s, speed, event_ms):
    timeline = Timeline(anchor_s, BEGINS_MS, speed)
    back_ms = timeline.recorded_ms(timeline.wire_ms(event_ms) / 1000)
    assert -2 * speed - 2 <= back_ms - event_ms <= 2 * speed + 2


def test_speed_sixty_plays_an_hour_in_a_minute():
    timeline = Timeline(1_800_000_000.0, BEGINS_MS, 60.0)
    assert timeline.recorded_ms(1_800_000_060.0) == BEGINS_MS + 3_600_000
    assert timeline.wire_ms(BEGINS_MS + 3_600_000) == 1_800_000_060_000


@given(anchors_s, speeds, st.floats(min_value=0, max_value=1e5), st.floats(min_value=0, max_value=CRASH_GAP_S - 1))
def test_after_a_crash_nothing_shifts(anchor_s, speed, elapsed_s, gap_s):
    place = place_after(anchor_s, speed, elapsed_s)
    timeline = resumed(place, speed=speed, now_s=place.saved_real_s + gap_s, anchor_recorded_ms=BEGINS_MS)
    assert timeline == Timeline(anchor_s, BEGINS_MS, speed)


@given(anchors_s, speeds, st.floats(min_value=0, max_value=1e5), st.floats(min_value=CRASH_GAP_S + 1, max_value=1e7))
def test_after_a_stop_time_stood_still(anchor_s, speed, elapsed_s, pause_s):
    place = place_after(anchor_s, speed, elapsed_s)
    now_s = place.saved_real_s + pause_s
    timeline = resumed(place, speed=speed, now_s=now_s, anchor_recorded_ms=BEGINS_MS)
    assert timeline.recorded_ms(now_s) == pytest.approx(place.position_ms, abs=2 * speed + 2)
    assert timeline.anchor_wire_s == pytest.approx(anchor_s + pause_s)


@given(anchors_s, speeds, speeds, st.floats(min_value=0, max_value=1e5), st.floats(min_value=0, max_value=1e7))
def test_another_speed_goes_on_from_the_same_position(anchor_s, speed, next_speed, elapsed_s, pause_s):
    place = place_after(anchor_s, speed, elapsed_s)
    now_s = place.saved_real_s + pause_s
    if next_speed != speed:
        timeline = resumed(place, speed=next_speed, now_s=now_s, anchor_recorded_ms=BEGINS_MS)
        assert timeline.recorded_ms(now_s) == pytest.approx(place.position_ms, abs=2 * max(speed, next_speed) + 2)


def place_after(anchor_s: float, speed: float, elapsed_s: float) -> Place:
    timeline = Timeline(anchor_s, BEGINS_MS, speed)
    saved_s = anchor_s + elapsed_s
    return Place(anchor_s, timeline.recorded_ms(saved_s), speed, saved_s)


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_an_iso_moment_reads_back_exactly(epoch_ms):
    moment = datetime.fromisoformat(as_iso(epoch_ms))
    assert moment.tzinfo == UTC
    assert round(moment.timestamp() * 1000) == epoch_ms
    assert datetime.fromisoformat(as_postgres(epoch_ms)) == moment


def test_whole_seconds_have_no_fraction():
    assert as_iso(1_780_876_816_000) == "2026-06-08T00:00:16Z"
    assert as_postgres(1_780_876_816_000) == "2026-06-08 00:00:16+00"
    assert as_iso(1_780_876_816_250) == "2026-06-08T00:00:16.250Z"
