"""Reading and writing anchors."""

from datetime import UTC, datetime

import pytest

from apps.audit.anchors import Anchor
from apps.audit.errors import UnreadableAnchor

ANCHOR = Anchor(number=3, sealed_at=datetime(2026, 11, 22, tzinfo=UTC), digest="a" * 64, signature="b" * 64)


def test_an_anchor_is_read_as_it_was_written():
    assert Anchor.read(ANCHOR.as_json()) == ANCHOR


@pytest.mark.parametrize("change", [{"format": "other"}, {"number": "x"}, {"sealed_at": 5}, {"number": None}])
def test_a_damaged_anchor_is_refused(change):
    with pytest.raises(UnreadableAnchor):
        Anchor.read(ANCHOR.as_json() | change)


@pytest.mark.parametrize("missing", ["format", "number", "sealed_at", "digest", "signature"])
def test_an_anchor_with_a_part_missing_is_refused(missing):
    raw = ANCHOR.as_json()
    del raw[missing]
    with pytest.raises(UnreadableAnchor):
        Anchor.read(raw)
