"""Secrets are taken out of what is written down about failures."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from apps.core.masking import MASK, masked, masked_text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def test_values_under_secret_names_are_masked_however_deep():
    found = masked(
        {"market_id": "mkt_1", "api_key": "k", "deep": [{"Password": "p", "ACCESS_TOKEN": {"a": 1}, "source_key": "0x1"}]}
    )
    assert found == {
        "market_id": "mkt_1",
        "api_key": MASK,
        "deep": [{"Password": MASK, "ACCESS_TOKEN": MASK, "source_key": "0x1"}],
    }


def test_the_password_of_an_address_is_masked_and_the_address_stays_readable():
    text = masked_text("cannot reach postgres://desk:hunter2@db:5432/x and redis://:s3cret@cache:6379/0")
    assert text == "cannot reach postgres://desk:***@db:5432/x and redis://:***@cache:6379/0"


def test_what_is_not_json_becomes_text():
    assert masked({"when": {1}}) == {"when": "{1}"}


@given(st.dictionaries(st.text(max_size=10), json_values, max_size=4), st.text(min_size=8, max_size=20))
def test_no_secret_survives_and_the_rest_is_storable(values, secret):
    kept = json.dumps(masked({**values, "the_secret": f"<{secret}>"}))
    assert json.dumps(f"<{secret}>") not in kept
    assert "\\u0000" not in kept
