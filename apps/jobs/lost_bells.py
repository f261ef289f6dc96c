"""Which bells look lost, judged by counting: jobs that wait against the messages that wait for them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

# A bell that has not led to a claim for so long may have been lost.
PATIENCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Jobs of one queue, task and source that are due: not rung for, rung for long ago, and when the latest bell was.

    `is_retry` says that one of those two was tried before.
    """

    queue: str
    task: str
    source: str
    is_batch: bool
    unrung: int
    stale: int
    latest_bell_at: datetime | None
    is_retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """So many of the jobs of a queue, and of a source when one is named, are to be rung for again."""

    queue: str
    source: str | None
    count: int


def silent_batches(groups: Iterable[Waiting], *, now: datetime) -> list[tuple[str, str]]:
    """Return (queue, task) of the batch tasks that want a bell: one for all rows, and never one while the latest is fresh.

    Rows that no bell was rung for, because their time has only come now, want one at once.
    """
    wanted = [
        (group.queue, group.task)
        for group in groups
        if group.is_batch and (group.unrung or group.latest_bell_at is None or group.latest_bell_at <= now - PATIENCE)
    ]
    return sorted(set(wanted))


def silent_singles(
    groups: Iterable[Waiting], *, depths: Mapping[str, int], paced: Mapping[str, int], rows_max: int
) -> list[Wish]:
    """Return how many single jobs are to be rung for again, by queue.

    `depths` are the messages in each queue, `paced` those that wait for a slot of their source. Jobs whose bell is old and
    that are not more than the messages that may be theirs have a message still.
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
        lost = unrung[queue, source] + max(0, count - messages)
        if lost:
            wishes.append(Wish(queue=queue, source=source, count=min(lost, rows_max)))
    return wishes
