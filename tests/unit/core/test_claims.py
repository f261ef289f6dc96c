"""Leases, attempts and waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from apps.core import claims

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_wait_doubles_from_two_seconds_to_five_minutes():
    assert [claims.backoff_s(attempts) for attempts in (1, 2, 3, 8, 9, 1000)] == [2, 4, 8, 256, 300, 300]


@given(st.integers(min_value=-5, max_value=10_000))
def test_the_wait_never_shrinks_and_is_never_below_two_seconds(attempts):
    assert 2 <= claims.backoff_s(attempts) <= claims.backoff_s(attempts + 1) <= claims.BACKOFF_S_MAX


@given(st.floats(min_value=0.1, max_value=3600), st.floats(min_value=0, max_value=7200))
def test_a_row_is_free_again_once_its_lease_has_ended_and_not_before(lease_s, later_s):
    until = claims.lease_end(now=NOW, lease_s=lease_s)
    later = NOW + timedelta(seconds=later_s)
    assert claims.is_free(lease_until=until, now=later) is (later >= until)


def test_a_row_that_nobody_claimed_is_free():
    assert claims.is_free(lease_until=None, now=NOW)


@given(st.integers(0, 20), st.integers(1, 20))
def test_attempts_are_used_up_at_their_maximum(attempts, attempts_max):
    assert claims.is_spent(attempts=attempts, attempts_max=attempts_max) is not (attempts < attempts_max)
