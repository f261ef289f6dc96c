"""Which backups are kept."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from apps.backups.retention import KEEP, Candidate, past_keeping

START = datetime(2026, 1, 1, tzinfo=UTC)
candidates = st.lists(
    st.builds(
        Candidate,
        id=st.text("abcdef0123456789", min_size=6, max_size=6),
        kind=st.sampled_from(sorted(KEEP)),
        started_at=st.integers(0, 400).map(lambda days: START + timedelta(days=days)),
        is_proved=st.booleans(),
    ),
    max_size=60,
    unique_by=lambda candidate: candidate.id,
)


def backups(kind, count, *, is_proved=False):
    return [Candidate(f"{kind}{number:02}", kind, START + timedelta(days=number), is_proved) for number in range(count)]


def test_the_newest_seven_five_and_twelve_stay():
    removed = past_keeping([*backups("daily", 9), *backups("weekly", 6), *backups("monthly", 13)])
    assert removed == ("daily00", "monthly00", "weekly00", "daily01")


def test_few_backups_all_stay():
    assert past_keeping([*backups("daily", 7), *backups("weekly", 5), *backups("monthly", 12)]) == ()
    assert past_keeping([]) == ()


def test_the_newest_proved_one_stays_however_old():
    first, second, *rest = backups("daily", 10)
    proved = [Candidate(one.id, one.kind, one.started_at, True) for one in (first, second)]
    assert past_keeping([*proved, *rest]) == ("daily00", "daily02")


@given(candidates)
def test_never_more_than_needed_goes(some):
    removed = set(past_keeping(some))
    for kind, keep in KEEP.items():
        of_kind = sorted((one for one in some if one.kind == kind), key=lambda one: (one.started_at, one.id), reverse=True)
        assert not removed & {one.id for one in of_kind[:keep]}
        assert len([one for one in of_kind[keep:] if one.id not in removed]) <= 1
    proved = [one for one in some if one.is_proved]
    if proved:
        assert max(proved, key=lambda one: (one.started_at, one.id)).id not in removed


@given(candidates)
def test_pruning_again_removes_nothing(some):
    removed = past_keeping(some)
    assert past_keeping([one for one in some if one.id not in removed]) == ()
