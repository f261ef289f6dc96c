"""The arithmetic of the audit chain. Pure: the same rows give the same digests on every machine, for ever.

event digest   SHA-256 over the canonical JSON of [format, at, tenant, actor, action, subject, detail]
batch digest   SHA-256 over "position:event id:event digest" lines, in order
link           SHA-256 over [format, previous link, number, sealed_at, count, first id, last id, batch digest]
signature      HMAC-SHA256 over the link, with a key that is not in the database

Whoever can write to the database can compute digests and links anew, so only the signature and an anchor kept
elsewhere prove that nothing was rewritten or cut off.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

FORMAT = "bellwether-audit-1"
GENESIS = "0" * 64
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Deed:
    """What an event says, without its identity."""

    at: datetime
    tenant: str
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """What one seal says about its batch."""

    previous_digest: str
    number: int
    sealed_at: datetime
    event_count: int
    first_event_id: int
    last_event_id: int


def plain(value: Any) -> Any:
    """Turn a value into JSON that PostgreSQL keeps without changing it.

    Decimals and floats become their shortest decimal text (jsonb would rewrite 1e2 as 100), moments become UTC text
    with microseconds, and characters that jsonb cannot hold are replaced. Raises TypeError on anything else.
    """
    if value is None or type(value) in (bool, int):
        return value
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {_name(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return _scalar_text(value)


def storable(text: str) -> str:
    """Replace NUL and lone surrogates, which PostgreSQL text cannot hold."""
    return "".join(REPLACEMENT if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in text)


def moment(at: datetime) -> str:
    """Write a moment in UTC with microseconds. Raises ValueError when it has no zone."""
    if at.tzinfo is None:
        raise ValueError(f"a moment needs its zone: {at}")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def canonical(value: Any) -> str:
    """Write plain JSON in the one form that is digested: sorted names, no spaces, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def event_digest(deed: Deed) -> str:
    """Return the digest of one event; its detail must be plain already."""
    parts = [FORMAT, moment(deed.at), deed.tenant, deed.actor, deed.action, deed.subject, deed.detail]
    return _sha256(canonical(parts))


def batch_digest(members: Iterable[tuple[int, int, str]]) -> str:
    """Return the digest of (position, event id, event digest) triples in their order."""
    running = hashlib.sha256(FORMAT.encode())
    for position, event_id, digest in members:
        running.update(f"{position}:{event_id}:{digest}\n".encode())
    return running.hexdigest()


def link_digest(link: Link, batch: str) -> str:
    """Return the digest of one seal over its batch and its predecessor."""
    counts = [link.number, moment(link.sealed_at), link.event_count, link.first_event_id, link.last_event_id]
    return _sha256(canonical([FORMAT, link.previous_digest, *counts, batch]))


def derived_key(secret: str) -> bytes:
    """Derive the signing key from a secret that also serves other purposes (HMAC-SHA256 over a fixed label)."""
    return hmac.digest(secret.encode(), f"{FORMAT} seal".encode(), "sha256")


def sign(digest: str, key: bytes) -> str:
    """Sign a link."""
    return hmac.new(key, digest.encode(), "sha256").hexdigest()


def is_signed(digest: str, signature: str, key: bytes) -> bool:
    """Whether `signature` was made for `digest` with `key`; takes the same time for every wrong answer."""
    return hmac.compare_digest(sign(digest, key).encode(), signature.encode())


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"names in a detail are text, not {type(key).__name__}")
    return storable(key)


def _scalar_text(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an audit detail")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
