"""Figures that can be added up: percentiles within the stated error, and merging equal to counting all in one."""

from __future__ import annotations

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from apps.resilience.figures import (
    ERROR_KINDS_MAX,
    NAMES_MAX,
    OTHER,
    RELATIVE_ERROR,
    Durations,
    Figures,
    NameBook,
)

SLACK = 1e-6  # a duration of one nanosecond more or less, and floating point
seconds = st.floats(min_value=1e-6, max_value=1e5)


def counted(values, error: str = "") -> Durations:
    durations = Durations()
    for value in values:
        durations.add(value, error)
    return durations


def true_percentile(values, share: float):
    return sorted(values)[max(1, ceil(share * len(values))) - 1]


@given(values=st.lists(seconds, min_size=1, max_size=300), share=st.sampled_from([0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_every_percentile_is_within_a_hundredth_of_the_true_one(values, share):
    truth = true_percentile(values, share)
    got = counted(values).percentile_s(share)
    assert abs(got - truth) <= RELATIVE_ERROR * truth + 2e-9 + SLACK * truth


@given(parts=st.lists(st.lists(seconds, max_size=40), min_size=1, max_size=5))
def test_merging_is_the_same_as_counting_all_in_one(parts):
    merged = Durations()
    for part in parts:
        merged.merge(counted(part, "timeout"))
    assert merged == counted([value for part in parts for value in part], "timeout")


@given(values=st.lists(seconds, min_size=1, max_size=50))
def test_mean_least_and_longest_are_exact_to_the_nanosecond(values):
    durations = counted(values)
    assert abs(durations.total_ns / durations.count / 1e9 - sum(values) / len(values)) <= 2e-9 + SLACK * max(values) / 1e3
    assert abs(durations.low_ns / 1e9 - min(values)) <= 2e-9
    assert abs(durations.high_ns / 1e9 - max(values)) <= 2e-9


def test_odd_durations_are_counted_at_the_edges():
    durations = counted([0.0, -5.0, 1e30])
    assert durations.count == 3
    assert durations.low_ns == 1
    assert durations.percentile_s(0.01) == 1e-9
    assert durations.high_ns / 1e9 == 1e6
    assert abs(durations.percentile_s(1.0) - 1e6) <= RELATIVE_ERROR * 1e6


def test_nothing_counted_has_a_percentile_of_nothing():
    assert Durations().percentile_s(0.99) == 0.0


def test_the_buckets_of_an_operation_are_bounded():
    durations = counted(1.001**exponent * 1e-9 for exponent in range(40_000))
    assert len(durations.buckets) <= 1_728


def test_names_and_kinds_beyond_the_limit_are_counted_together():
    book = NameBook()
    names = {book.admit(f"path-{number}") for number in range(NAMES_MAX * 3)}
    assert len(names) == NAMES_MAX + 1
    assert OTHER in names
    assert book.admit("path-7") == "path-7"
    assert len(NameBook().admit("x" * 500)) == 80
    durations = Durations()
    for number in range(100):
        durations.add(1.0, f"kind:{number}")
    assert len(durations.errors) == ERROR_KINDS_MAX + 1
    assert durations.errors[OTHER] == 100 - ERROR_KINDS_MAX
    assert "kind.0" in durations.errors


def test_figures_merge_by_name():
    figures = Figures(operations={"a": counted([1.0])}, counters={"hits": 2})
    figures.merge(Figures(operations={"a": counted([3.0]), "b": counted([5.0])}, counters={"hits": 1, "misses": 4}))
    assert {name: durations.count for name, durations in figures.operations.items()} == {"a": 2, "b": 1}
    assert figures.counters == {"hits": 3, "misses": 4}
    assert not figures.is_empty()
    assert Figures().is_empty()
