"""Filters of dead letters."""

from __future__ import annotations

from apps.api.filters.base import Filters, before, one_of, same, since


class DeadLetterFilter(Filters):
    """By state, task, queue, source, tenant and the time when it was parked or discarded."""

    state = one_of("parked", "discarded")
    task = same()
    queue = same()
    source = same()
    tenant = same()
    schedule = same(length_max=200)
    since = since("finished_at")
    before = before("finished_at")
