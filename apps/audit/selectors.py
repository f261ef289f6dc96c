"""Reading the memory: events, the newest anchor, and the proof that nothing was changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from apps.audit.anchors import Anchor
from apps.audit.keys import signing_key
from apps.audit.models import Event, Seal, UnsealedEvent
from apps.audit.types import SealView, Verification
from apps.audit.verification import ChainWalk

EVENT_FIELDS = ("id", "at", "tenant", "actor", "action", "subject", "detail", "digest")
SEAL_FIELDS = tuple(SealView.__dataclass_fields__)


def verify(*, anchor: Mapping[str, Any] | None = None) -> Verification:
    """Recompute every digest, link and signature, and hold the chain against `anchor` when one is given.

    Reads in batches, so memory does not grow with the log. Raises UnreadableAnchor.
    """
    return ChainWalk(key=signing_key(), anchor=Anchor.read(anchor) if anchor is not None else None).result()


def latest_anchor() -> dict[str, Any] | None:
    """Return the newest link as plain JSON to keep outside of the database, or None while nothing is sealed."""
    newest = Seal.objects.order_by("-number").first()
    if newest is None:
        return None
    return Anchor(newest.number, newest.sealed_at, newest.digest, newest.signature).as_json()


def event_count() -> int:
    """Return how many events there are."""
    return Event.objects.count()


def unsealed_count() -> int:
    """Return how many events wait for a seal; cheap at any size of the log."""
    return UnsealedEvent.objects.count()


def events_table() -> QuerySet[Event, dict[str, Any]]:
    """Return all events as dicts, newest first, to filter and page."""
    rows: QuerySet[Event, dict[str, Any]] = Event.objects.order_by("-id").values(*EVENT_FIELDS)
    return rows


def seals_table() -> QuerySet[Seal, dict[str, Any]]:
    """Return all seals as dicts, newest first, to filter and page."""
    rows: QuerySet[Seal, dict[str, Any]] = Seal.objects.order_by("-number").values(*SEAL_FIELDS)
    return rows
