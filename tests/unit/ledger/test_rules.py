"""What makes lines an entry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ledger import rules
from apps.ledger.errors import UnfitEntry
from apps.ledger.types import PostingLine

amounts = st.integers(-rules.AMOUNT_MINOR_MAX, rules.AMOUNT_MINOR_MAX).filter(bool)
loose_lines = st.lists(st.builds(PostingLine, st.sampled_from("abcd"), amounts), min_size=1, max_size=6)


@st.composite
def balanced_lines(draw):
    lines = draw(
        st.lists(st.builds(PostingLine, st.sampled_from("abcd"), st.integers(-(10**12), 10**12).filter(bool)), max_size=6)
    )
    rest = -sum(line.amount_minor for line in lines)
    return [*lines, PostingLine("e", rest)] if rest else [*lines, PostingLine("e", 1), PostingLine("f", -1)]


@given(balanced_lines())
def test_balanced_lines_make_an_entry_and_so_does_their_mirror(lines):
    rules.check_lines(lines)
    rules.check_lines(rules.mirror(lines))


@given(balanced_lines())
def test_an_entry_and_its_mirror_change_nothing_together(lines):
    assert set(rules.changes([*lines, *rules.mirror(lines)]).values()) == {0}


@given(loose_lines)
def test_lines_that_do_not_balance_are_refused(lines):
    if sum(line.amount_minor for line in lines) == 0 and len(lines) > 1:
        rules.check_lines(lines)
    else:
        with pytest.raises(UnfitEntry):
            rules.check_lines(lines)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [PostingLine("a", 1)],
        [PostingLine("a", 1), PostingLine("b", -2)],
        [PostingLine("a", 1), PostingLine("b", -1), PostingLine("c", 0)],
        [PostingLine("a", rules.AMOUNT_MINOR_MAX + 1), PostingLine("b", -rules.AMOUNT_MINOR_MAX - 1)],
        [PostingLine("a", 1), PostingLine("b", -1)] * 501,
    ],
)
def test_these_lines_are_no_entry(lines):
    with pytest.raises(UnfitEntry):
        rules.check_lines(lines)


def test_one_entry_has_one_currency():
    rules.check_currency({"a": "USDC", "b": "USDC"})
    with pytest.raises(UnfitEntry, match="EUR, USDC"):
        rules.check_currency({"a": "USDC", "b": "EUR"})


@given(balanced_lines(), st.randoms(use_true_random=False))
def test_changes_and_sameness_do_not_depend_on_the_order(lines, random):
    shuffled = random.sample(lines, len(lines))
    assert rules.changes(lines) == rules.changes(shuffled)
    assert list(rules.changes(lines)) == sorted(rules.changes(lines))
    assert rules.is_same(lines, shuffled)
    assert not rules.is_same(lines, [*lines, lines[0]])
