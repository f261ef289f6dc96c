"""The digest by which forecasts are committed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from apps.forecasts.commitment import COMMITTED, canonical, digest_of, digest_of_inputs

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def row(number):
    return {**dict.fromkeys(COMMITTED), "id": f"fct_{number}", "as_of": NOW, "p_final": Decimal("0.5")}


def test_the_order_of_rows_does_not_matter():
    assert digest_of([row(1), row(2)]) == digest_of([row(2), row(1)])


@pytest.mark.parametrize("name", COMMITTED)
def test_every_committed_column_changes_the_digest(name):
    assert digest_of([row(1), row(2) | {name: "other"}]) != digest_of([row(1), row(2)])


def test_the_same_value_has_one_form():
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert canonical({"b": NOW, "a": Decimal("0.50")}) == canonical({"a": Decimal("0.5000000000"), "b": elsewhere})
    assert digest_of_inputs({"a": 1, "b": 2}) == digest_of_inputs({"b": 2, "a": 1})


def test_what_has_no_canonical_form_is_refused():
    with pytest.raises(TypeError, match="no canonical form for set"):
        canonical({"a": {1}})
