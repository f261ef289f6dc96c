"""The arithmetic of the chain."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import chain

NOW = datetime(2026, 11, 22, 15, 0, 0, 1, tzinfo=UTC)
DEED = chain.Deed(at=NOW, tenant="tnt_1", actor="ann", action="order.placed", subject="ord_1", detail={"stake_minor": 5})
LINK = chain.Link(previous_digest=chain.GENESIS, number=1, sealed_at=NOW, event_count=2, first_event_id=1, last_event_id=2)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_digest_of_an_event_is_fixed_for_ever():
    assert chain.event_digest(DEED) == "955757893428474c0ff67d0e786aff00af7e270506cae614bb5650d383c9595f"


def test_the_digest_does_not_depend_on_the_order_of_names_or_the_zone():
    turned = {"b": 1, "a": {"d": 2, "c": 3}}
    same = {"a": {"c": 3, "d": 2}, "b": 1}
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    assert chain.event_digest(chain.Deed(NOW, "", "x", "y", "z", turned)) == chain.event_digest(
        chain.Deed(there, "", "x", "y", "z", same)
    )


@pytest.mark.parametrize(
    "other",
    [
        chain.Deed(NOW + timedelta(microseconds=1), "tnt_1", "ann", "order.placed", "ord_1", {"stake_minor": 5}),
        chain.Deed(NOW, "tnt_2", "ann", "order.placed", "ord_1", {"stake_minor": 5}),
        chain.Deed(NOW, "tnt_1", "bob", "order.placed", "ord_1", {"stake_minor": 5}),
        chain.Deed(NOW, "tnt_1", "ann", "order.placedo", "rd_1", {"stake_minor": 5}),
        chain.Deed(NOW, "tnt_1", "ann", "order.placed", "ord_1", {"stake_minor": "5"}),
        chain.Deed(NOW, "tnt_1", "ann", "order.placed", "ord_1", {"stake_minor": 5.0}),
    ],
)
def test_any_other_deed_has_another_digest(other):
    assert chain.event_digest(other) != chain.event_digest(DEED)


def test_a_moment_without_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        chain.moment(NOW.replace(tzinfo=None))


def test_numbers_moments_and_odd_characters_get_a_fixed_form():
    raw = {
        "price": Decimal("0.50"),
        "edge": 0.1,
        "none": float("nan"),
        "at": NOW,
        "id": UUID(int=1),
        "text": "a\0b\ud800",
        "tags": ("b", "a"),
        "n": True,
    }
    assert chain.plain(raw) == {
        "price": "0.50",
        "edge": "0.1",
        "none": "nan",
        "at": "2026-11-22T15:00:00.000001+00:00",
        "id": "00000000-0000-0000-0000-000000000001",
        "text": "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}",
        "tags": ["b", "a"],
        "n": True,
    }


@pytest.mark.parametrize("odd", [{1: "x"}, {"x": object()}, {"x": b"bytes"}])
def test_what_has_no_fixed_form_is_refused(odd):
    with pytest.raises(TypeError):
        chain.plain(odd)


@given(values)
def test_plain_is_stable_and_can_be_digested(value):
    once = chain.plain(value)
    assert chain.plain(once) == once
    assert chain.canonical(once).isascii()


@given(st.lists(st.tuples(st.integers(), st.text("0123456789abcdef", min_size=64, max_size=64)), min_size=2, unique=True))
def test_a_batch_has_another_digest_in_another_order(members):
    there = [(at, *member) for at, member in enumerate(members)]
    back = [(at, *member) for at, member in enumerate(reversed(members))]
    assert chain.batch_digest(there) != chain.batch_digest(back)


@pytest.mark.parametrize(
    "change",
    [
        {"previous_digest": "1" * 64},
        {"number": 2},
        {"sealed_at": NOW + timedelta(microseconds=1)},
        {"event_count": 3},
        {"first_event_id": 0},
        {"last_event_id": 3},
    ],
)
def test_every_figure_of_a_seal_is_in_its_link(change):
    other = chain.Link(**{name: getattr(LINK, name) for name in chain.Link.__dataclass_fields__} | change)
    assert chain.link_digest(other, "b" * 64) != chain.link_digest(LINK, "b" * 64)
    assert chain.link_digest(LINK, "c" * 64) != chain.link_digest(LINK, "b" * 64)


def test_a_signature_holds_for_its_digest_and_key_only():
    key, other = chain.derived_key("one"), chain.derived_key("two")
    signature = chain.sign("d" * 64, key)
    assert chain.is_signed("d" * 64, signature, key)
    assert not chain.is_signed("e" * 64, signature, key)
    assert not chain.is_signed("d" * 64, signature, other)
    assert not chain.is_signed("d" * 64, "\N{SNOWMAN}", key)
