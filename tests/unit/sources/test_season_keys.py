"""Which files of football-data.co.uk are of the season that is on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.sources.registry import VENDORS
from apps.sources.vendors.football_data.client import season_keys


@pytest.mark.parametrize(
    ("year", "month", "season"), [(2026, 8, "2627"), (2026, 12, "2627"), (2027, 7, "2627"), (1999, 9, "9900"), (2000, 1, "9900")]
)
def test_a_season_begins_in_august(year, month, season):
    assert season_keys(datetime(year, month, 1, tzinfo=UTC))[0] == f"{season}/E0"


def test_what_is_given_goes_before_the_season_and_the_season_before_the_vendors_default():
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert VENDORS["football_data"].keys_for(("2425/E1",), now=now) == ("2425/E1",)
    assert VENDORS["football_data"].keys_for((), now=now)[-1] == "2627/F1"
    assert VENDORS["yahoo"].keys_for((), now=now)[0] == "^GSPC"
