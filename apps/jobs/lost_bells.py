"""Which bells look lost. Pure.

Jobs that wait are counted against the messages that wait for them. In a full queue that says little, since any message may
be anybody's; there the order tells: messages are taken in the order in which they came, so a job that waits while one
that was rung for much later has been begun has no message any more.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# A bell that has not led to a claim for so long may have been lost.
PATIENCE = timedelta(seconds=5)
# Rows of a batch task that were tried before are claimed one at a time: so many are a bell's worth, and a task gets so many
# bells at one look at most.
TRIED_ROWS_A_BELL = 25
BELLS_A_TASK_MAX = 16
# Rows that were never tried come together, usually so many to a bell.
ROWS_A_BELL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Jobs of one queue, task and source that are due: not rung for, rung for long ago, and when the latest bell was.

    `is_retry` says that one of those two was tried before, `unrung_tried` how many of the first kind were.
    """

    queue: str
    task: str
    source: str
    is_batch: bool
    unrung: int
    stale: int
    latest_bell_at: datetime | None
    is_retry: bool = False
    unrung_tried: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """So many of the jobs of a queue, and of a source when one is named, are to be rung for again."""

    queue: str
    source: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWish:
    """A batch task wants so many bells; they go first when rows are due that were tried before."""

    queue: str
    task: str
    bells: int
    goes_first: bool


def silent_batches(groups: Sequence[Waiting], *, old_until: datetime, is_forgotten: bool = False) -> list[BatchWish]:
    """Return which batch tasks want bells: one for all rows, and never one while the latest is fresh (after `old_until`).

    Rows that no bell was rung for, because their time has only come now, want one at once. Those of a lost worker among
    them come back one by one: they get a bell for every 25, so that all workers share them. When the broker forgot all
    bells until `old_until`, the fresh one of a row that came later stands behind what is rung for again: so there are
    bells that go first, one for a hundred rows.
    """
    tried: dict[tuple[str, str], int] = defaultdict(int)
    forgotten: dict[tuple[str, str], int] = defaultdict(int)
    retried = {(group.queue, group.task) for group in groups if group.is_retry}
    for group in groups:
        is_lost = is_forgotten and group.stale > 0
        if group.is_batch and (is_lost or group.unrung or group.latest_bell_at is None or group.latest_bell_at <= old_until):
            tried[group.queue, group.task] += group.unrung_tried
            forgotten[group.queue, group.task] += group.stale if is_lost else 0
    return [
        BatchWish(
            queue=place[0],
            task=place[1],
            bells=_bells_for(tried=count, forgotten=forgotten[place]),
            goes_first=place in retried or forgotten[place] > 0,
        )
        for place, count in sorted(tried.items())
    ]


def _bells_for(*, tried: int, forgotten: int) -> int:
    return min(BELLS_A_TASK_MAX, max(1, math.ceil(tried / TRIED_ROWS_A_BELL), math.ceil(forgotten / ROWS_A_BELL)))


def may_be_overtaken(groups: Iterable[Waiting], *, depths: Mapping[str, int]) -> bool:
    """Say whether messages may hide lost bells, so that it is worth asking for the jobs that were overtaken."""
    return any(group.stale and not group.is_batch and not group.source and depths.get(group.queue) for group in groups)


def silent_singles(
    groups: Iterable[Waiting],
    *,
    depths: Mapping[str, int],
    paced: Mapping[str, int],
    overtaken: Mapping[str, int],
    rows_max: int,
) -> list[Wish]:
    """Return how many single jobs are to be rung for again, by queue.

    `depths` are the messages in each queue, `paced` those that wait for a slot of their source, `overtaken` the jobs of each
    queue without a message for certain; they have no source, for what waits for slots keeps another order. Jobs whose bell
    is old and that are not more than the messages that may be theirs have a message still.
    """
    old: dict[tuple[str, str | None], int] = defaultdict(int)
    unrung: dict[tuple[str, str | None], int] = defaultdict(int)
    for group in groups:
        if not group.is_batch:
            place = (group.queue, group.source if group.source in paced else None)
            old[place] += group.stale
            unrung[place] += group.unrung
    wishes = []
    for (queue, source), count in sorted(old.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        messages = depths.get(queue, 0) + (paced[source] if source is not None else 0)
        certain = min(count, overtaken.get(queue, 0)) if source is None else 0
        lost = unrung[queue, source] + max(certain, count - messages)
        if lost:
            wishes.append(Wish(queue=queue, source=source, count=min(lost, rows_max)))
    return wishes
