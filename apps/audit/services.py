"""Writing events beside the deeds that they tell of, and sealing them afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog

from apps.audit import chain
from apps.audit.errors import SecretInDetail, UnfitDetail
from apps.audit.keys import signing_key
from apps.audit.models import Event, Seal, SealedEvent, UnsealedEvent
from apps.audit.secrecy import secret_names
from apps.audit.types import SealView
from apps.core.db import durable, only_one, transaction, transaction_required

log = structlog.get_logger(__name__)

BATCH_EVENTS_MAX = 5_000  # one link takes well under a second and a few megabytes
BATCHES_MAX = 200  # a million events in one call; the next call continues


@transaction_required
def record(*, action: str, subject: str, by: str, now: datetime, tenant: str = "", detail: Mapping[str, Any]) -> int:
    """Write one event inside the caller's transaction and return its number.

    Floats, decimals and moments in `detail` are kept as text. Raises SecretInDetail and UnfitDetail, which are
    mistakes of the caller's code.
    """
    for name in secret_names(detail):
        raise SecretInDetail(f"{action}: the detail {name!r} looks like a secret")
    try:
        known = chain.plain(detail)
    except TypeError as error:
        raise UnfitDetail(f"{action}: {error}") from error
    texts = {"tenant": tenant, "actor": by, "action": action, "subject": subject}
    texts = {name: chain.storable(text) for name, text in texts.items()}
    digest = chain.event_digest(chain.Deed(at=now, detail=known, **texts))
    event = Event.objects.create(at=now, detail=known, digest=digest, **texts)
    UnsealedEvent.objects.create(event_id=event.id)
    return event.id


@durable
def seal(*, now: datetime, by: str) -> SealView | None:
    """Put every committed event that waits under seals and return the newest of them; None when nothing waits.

    One sealer works at a time in the cluster, another leaves at once with None. An event whose transaction commits
    after its neighbours' is still waiting then and lies under a later seal.
    """
    newest: Seal | None = None
    with only_one("audit.seal") as is_ours:
        for _ in range(BATCHES_MAX if is_ours else 0):
            sealed = _seal_batch(now=now, by=by)
            if sealed is None:
                break
            newest = sealed
    return SealView.of(newest) if newest else None


@transaction
def _seal_batch(*, now: datetime, by: str) -> Seal | None:
    waiting = UnsealedEvent.objects.order_by("event_id").values("event_id")[:BATCH_EVENTS_MAX]
    events = list(Event.objects.filter(id__in=waiting).order_by("id").values_list("id", "digest"))
    if not events:
        return None
    sealed = Seal.objects.create(**_link_after(Seal.objects.order_by("-number").first(), events, now))
    members = [SealedEvent(event_id=event_id, seal=sealed, position=at) for at, (event_id, _) in enumerate(events)]
    SealedEvent.objects.bulk_create(members)
    UnsealedEvent.objects.filter(event_id__in=[event_id for event_id, _ in events]).delete()
    log.info("audit_sealed", number=sealed.number, events=len(events), by=by)
    return sealed


def _link_after(previous: Seal | None, events: list[tuple[int, str]], now: datetime) -> dict[str, Any]:
    link = chain.Link(
        previous_digest=previous.digest if previous else chain.GENESIS,
        number=previous.number + 1 if previous else 1,
        sealed_at=now,
        event_count=len(events),
        first_event_id=events[0][0],
        last_event_id=events[-1][0],
    )
    batch = chain.batch_digest((position, event_id, digest) for position, (event_id, digest) in enumerate(events))
    digest = chain.link_digest(link, batch)
    return asdict(link) | {"digest": digest, "signature": chain.sign(digest, signing_key())}
