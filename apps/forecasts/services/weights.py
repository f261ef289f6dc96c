"""Publishing the weights with which price and model are pooled."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from apps.audit import services as audit
from apps.core.db import transaction
from apps.forecasts import selectors
from apps.forecasts.models import PoolWeights
from apps.forecasts.opinions import Weights

Group = tuple[str, str, str]  # source, category, horizon


@transaction
def publish_first_weights(*, groups: Iterable[Group], by: str, now: datetime) -> dict[Group, Weights]:
    """Return the newest weights of each group; a group seen for the first time gets w = b = 0, published and audited."""
    wanted = set(groups)
    known = selectors.latest_weights(wanted)
    fresh = [
        PoolWeights(source=source, category=category, horizon=horizon, made_at=now)
        for source, category, horizon in sorted(wanted - set(known))
    ]
    for row in PoolWeights.objects.bulk_create(fresh):
        known[row.source, row.category, row.horizon] = row
        group = f"{row.source}/{row.category}/{row.horizon}"
        audit.record(
            action="weights.published",
            subject=row.id,
            by=by,
            now=now,
            detail={"group": group, "w": row.w, "b": row.b, "trained_on": 0},
        )
    return {group: Weights(id=row.id, w=row.w, b=row.b) for group, row in known.items()}
