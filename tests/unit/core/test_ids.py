"""Identities sort by time and never collide in practice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core import ids

MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))
ENTROPY = st.binary(min_size=ids.ENTROPY_BYTES, max_size=ids.ENTROPY_BYTES)


@given(MOMENTS, ENTROPY)
def test_an_identity_has_its_prefix_and_a_body_of_26_signs(at, entropy):
    prefix, _, body = ids.make_id("mkt", at=at, entropy=entropy).partition("_")
    assert prefix == "mkt"
    assert len(body) == ids.BODY_LENGTH
    assert set(body) <= set(ids.ALPHABET)


@given(MOMENTS, st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=365)), ENTROPY, ENTROPY)
def test_later_identities_sort_later(at, later_by, entropy, other):
    assert ids.make_id("ord", at=at, entropy=entropy) < ids.make_id("ord", at=at + later_by, entropy=other)


@given(MOMENTS, ENTROPY, ENTROPY)
def test_different_entropy_gives_different_identities(at, entropy, other):
    same = ids.make_id("ord", at=at, entropy=entropy) == ids.make_id("ord", at=at, entropy=other)
    assert same == (entropy == other)


@pytest.mark.parametrize("size", [0, 9, 11])
def test_entropy_of_the_wrong_length_is_refused(size):
    with pytest.raises(ValueError, match="10 bytes"):
        ids.make_id("mkt", at=datetime(2026, 1, 1, tzinfo=UTC), entropy=b"x" * size)
