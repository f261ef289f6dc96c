"""What a cache did, counted per kind of key: for this process, and pending for the counters that all processes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields

SEPARATOR = ":"  # between the kind, which holds none, and the name of the count


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStatistics:
    """Counts of one kind.

    `hits` were served without waiting for a load, `misses` waited for one, `negative_hits` met a remembered failure.
    `aged_served` and `stale_served` are answers of that grade. `refreshes` are loads that ran, of which
    `early_refreshes` before the end of a fresh value and `behind_refreshes` behind a reader; `errors` are loads that
    failed. `damaged` values could not be read, `refused_writes` came from a leader that had been replaced.
    """

    hits: int = 0
    misses: int = 0
    negative_hits: int = 0
    aged_served: int = 0
    stale_served: int = 0
    refreshes: int = 0
    early_refreshes: int = 0
    behind_refreshes: int = 0
    errors: int = 0
    damaged: int = 0
    refused_writes: int = 0

    @property
    def hit_rate(self) -> float:
        """The share of readers who did not wait for a load, 0 when there were none."""
        quick = self.hits + self.negative_hits
        return quick / (quick + self.misses) if quick + self.misses else 0.0


NAMES = tuple(field.name for field in fields(CacheStatistics))


class CacheCounts:
    """Counts by kind and name. `take_pending` hands out what the shared counters have not been told yet."""

    def __init__(self) -> None:
        self._own: Counter[str] = Counter()
        self._pending: Counter[str] = Counter()

    def add(self, kind: str, *names: str) -> None:
        """Count one of each name for this kind."""
        for name in names:
            place = kind + SEPARATOR + name
            self._own[place] += 1
            self._pending[place] += 1

    def own(self) -> dict[str, CacheStatistics]:
        """Return the counts of this process by kind."""
        return by_kind(self._own)

    def take_pending(self) -> dict[str, int]:
        """Hand out the counts that are to be added to the shared ones."""
        pending, self._pending = self._pending, Counter()
        return dict(pending)

    def put_back(self, counts: Mapping[str, int]) -> None:
        """Take back counts that could not be delivered."""
        self._pending.update(counts)


def by_kind(counts: Mapping[str, int]) -> dict[str, CacheStatistics]:
    """Return the statistics of every kind in flat counts; names that this version does not know are left out."""
    kinds: dict[str, dict[str, int]] = {}
    for place, count in sorted(counts.items()):
        kind, _, name = place.rpartition(SEPARATOR)
        if name in NAMES:
            kinds.setdefault(kind, {})[name] = count
    return {kind: CacheStatistics(**named) for kind, named in kinds.items()}
