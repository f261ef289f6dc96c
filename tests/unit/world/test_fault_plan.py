"""The fault file is read strictly, and what it says happens exactly then."""

from __future__ import annotations

import json
import re
from math import floor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.world.errors import WorldRefused
from apps.sources.world.fault_kinds import KINDS
from apps.sources.world.fault_plan import Fault, Program, read_faults
from apps.sources.world.fault_quota import quota_of
from apps.sources.world.faults import SPOILERS

VENDORS = ("gamma", "clob", "yahoo")
PAGE = Path(__file__).resolve().parents[3] / "docs/recorded-world.md"


def read(*rows: object) -> tuple[Fault, ...]:
    return read_faults(json.dumps(rows).encode(), vendors=VENDORS)


def program_of(*rows: object, now_s: float = 100.0) -> Program:
    return Program.starting(read(*rows), now_s=now_s)


def test_every_kind_can_be_read_and_done_and_says_its_defaults():
    assert set(SPOILERS) == set(KINDS)
    faults = read(*({"vendor": "*", "kind": kind} for kind in KINDS))
    assert [fault.kind for fault in faults] == list(KINDS)
    assert faults[0].as_given() == {
        "vendor": "*",
        "path": "*",
        "from_s": 0.0,
        "until_s": None,
        "kind": "status",
        "share": 1.0,
        "seed": None,
        "params": {
            "status": 503,
            "retry_after": (),
            "body": '{"error":"a fault of the recorded world"}',
            "content_type": "application/json",
        },
    }


def test_what_is_shown_can_be_read_again():
    faults = read({"vendor": "clob", "kind": "quota", "path": "/book*", "from_s": 1.5, "until_s": 9, "share": 0.25, "seed": 7})
    assert read(*(fault.as_given() for fault in faults)) == faults
    endless = read({"vendor": "*", "kind": "drip"})
    assert read(*(fault.as_given() for fault in endless)) == endless


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty"),
        (b"{}", "not a list of at most 1000 faults"),
        (b'[{"vendor": "gamma", "vendor": "clob", "kind": "empty"}]', "has the key 'vendor' twice in one object"),
        (b"[7]", "fault 1: not an object"),
        (b'[{"vendor": "*", "kind": "empty"}, {"vendor": "*"}]', "fault 2: kind is not one of status, reset"),
        (b'[{"vendor": "kalshi", "kind": "empty"}]', r"fault 1: vendor is not one of gamma, clob, yahoo, \*"),
        (b'[{"kind": "empty"}]', "fault 1: vendor is not one of"),
        (b'[{"vendor": "*", "kind": "empty", "when": 3}]', "fault 1: no field 'when'; there are vendor, path"),
        (b'[{"vendor": "*", "kind": "empty", "share": 1.5}]', "fault 1: share is not a number between 0 and 1"),
        (b'[{"vendor": "*", "kind": "empty", "share": true}]', "fault 1: share is not a number between 0 and 1"),
        (b'[{"vendor": "*", "kind": "empty", "from_s": 5, "until_s": 5}]', "fault 1: until_s is not after from_s"),
        (b'[{"vendor": "*", "kind": "empty", "params": {"a": 1}}]', "fault 1: empty has no param 'a'; it has none"),
        (b'[{"vendor": "*", "kind": "empty", "params": []}]', "fault 1: params is not an object"),
        (b'[{"vendor": "*", "kind": "status", "params": {"status": 200}}]', "status is not a whole number between 400 and 599"),
        (
            b'[{"vendor": "*", "kind": "status", "params": {"retry_after": 7}}]',
            "retry_after is not a text that a header can carry",
        ),
        (
            b'[{"vendor": "*", "kind": "status", "params": {"retry_after": "a\\r\\nb: c"}}]',
            "is not a text that a header can carry",
        ),
        (b'[{"vendor": "*", "kind": "number", "params": {"text": "1,2"}}]', "text is not the text of a number, NaN or Infinity"),
        (b'[{"vendor": "*", "kind": "quota", "params": {"style": "leaky"}}]', "style is not one of fixed, sliding, bucket"),
        (b'[{"vendor": "*", "kind": "deep", "params": {"depth": 1e3}}]', "depth is not a whole number between 1 and 5000000"),
        (b'[{"vendor": "*", "kind": "empty", "path": 5}]', "path is not a text that a header can carry"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(body, reason):
    with pytest.raises(WorldRefused, match=reason) as caught:
        read_faults(body, vendors=VENDORS)
    assert "\n" not in str(caught.value)


def test_a_fault_befalls_its_vendor_path_and_time_only():
    program = program_of({"vendor": "gamma", "path": "/markets*", "from_s": 10, "until_s": 20, "kind": "empty"})
    meets = [
        program.strike(vendor, path, now_s=now_s) is not None
        for vendor, path, now_s in [
            ("gamma", "/markets", 110.0),
            ("gamma", "/markets/keyset", 119.9),
            ("gamma", "/events", 115.0),
            ("clob", "/markets", 115.0),
            ("gamma", "/markets", 109.9),
            ("gamma", "/markets", 120.0),
        ]
    ]
    assert meets == [True, True, False, False, False, False]
    assert (program.met, program.struck) == ([2], [2])


def test_the_first_fault_that_strikes_is_the_one():
    rows = [
        {"vendor": "*", "kind": "empty", "share": 0.5},
        {"vendor": "clob", "kind": "reset"},
        {"vendor": "*", "kind": "html"},
    ]
    program = program_of(*rows)
    kinds = [strike.fault.kind for _ in range(4) if (strike := program.strike("gamma", "/markets", now_s=100.0))]
    assert kinds == ["html", "empty", "html", "empty"]
    assert (program.met, program.struck) == ([4, 0, 2], [2, 0, 2])


@given(share=st.floats(0, 1), count=st.integers(0, 400))
def test_without_a_seed_a_share_is_spread_evenly(share, count):
    (fault,) = read({"vendor": "*", "kind": "empty", "share": share})
    struck = [fault.strikes(number) for number in range(1, count + 1)]
    assert abs(sum(struck) - floor(count * share)) == 0


@given(seed=st.integers(0, 2**53))
def test_with_a_seed_it_is_by_lot_and_always_the_same_lot(seed):
    (fault,) = read({"vendor": "*", "kind": "empty", "share": 0.3, "seed": seed})
    struck = [fault.strikes(number) for number in range(1, 1_001)]
    assert struck == [fault.strikes(number) for number in range(1, 1_001)]
    assert 200 <= sum(struck) <= 400
    assert not any(read({"vendor": "*", "kind": "empty", "share": 0, "seed": seed})[0].strikes(n) for n in range(1, 100))
    assert all(read({"vendor": "*", "kind": "empty", "share": 1, "seed": seed})[0].strikes(n) for n in range(1, 100))


gaps = st.lists(st.floats(0, 0.5), min_size=1, max_size=300)


@given(style=st.sampled_from(["fixed", "sliding", "bucket"]), requests=st.integers(1, 20), gaps=gaps)
def test_a_hidden_quota_is_never_exceeded_and_says_when_there_is_room(style, requests, gaps):
    quota = quota_of({"requests": requests, "window_s": 1.0, "style": style, "burst": 0})
    now_s, taken_s = 1_700_000_000.0, []
    for gap_s in gaps:
        now_s += gap_s
        wait_s = quota.take(now_s)
        if wait_s is None:
            taken_s.append(now_s)
        else:
            assert 0 <= wait_s <= 1.0
            assert quota.take(now_s + wait_s + 1e-6) is None
            now_s += wait_s + 1e-6
            taken_s.append(now_s)
    for index, start_s in enumerate(taken_s):
        window = [at_s for at_s in taken_s[index:] if at_s < start_s + 1.0]
        assert len(window) <= (requests if style == "sliding" else 2 * requests)
    if style == "fixed":
        assert (
            max(sum(1 for at_s in taken_s if floor(at_s) == second) for second in {floor(at_s) for at_s in taken_s}) <= requests
        )


def test_a_bucket_gives_its_burst_and_then_its_rate():
    quota = quota_of({"requests": 60, "window_s": 60.0, "style": "bucket", "burst": 3})
    assert [quota.take(0.0) is None for _ in range(4)] == [True, True, True, False]
    assert quota.take(0.5) == pytest.approx(0.5)
    assert quota.take(1.0) is None


def test_a_quota_with_room_lets_the_next_fault_have_the_request():
    program = program_of(
        {"vendor": "*", "kind": "quota", "params": {"requests": 2, "window_s": 60, "style": "sliding"}},
        {"vendor": "*", "kind": "empty"},
    )
    strikes = [program.strike("clob", "/book", now_s=100.0 + second) for second in range(3)]
    assert [(strike.fault.kind, strike.wait_s) for strike in strikes if strike] == [
        ("empty", 0.0),
        ("empty", 0.0),
        ("quota", 58.0),
    ]
    assert program.told(now_s=103.0)["elapsed_s"] == 3.0
    assert [(row["met"], row["struck"]) for row in program.told(now_s=103.0)["faults"]] == [(3, 1), (2, 2)]


def test_the_page_about_faults_names_every_kind_and_param_and_its_example_can_be_read():
    page = PAGE.read_text()
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert [fault.kind for fault in read_faults(example.encode(), vendors=VENDORS)] == ["status", "cut", "quota"]
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    for kind, params in KINDS.items():
        assert [name for name in params if f"`{name}`" not in rows[kind]] == []
