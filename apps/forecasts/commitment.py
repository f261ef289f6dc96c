"""The digest by which a batch of forecasts is committed to the audit log before its outcomes are known.

Anyone who has the rows can compute it again: one canonical JSON line per forecast, ordered by id, SHA-256 over all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

COMMITTED = (
    *("id", "market_id", "outcome_id", "as_of", "model", "p_model", "p_price", "p_base", "p_final"),
    *("value", "value_price", "scheduled_close_at", "inputs_digest"),
)


def digest_of(rows: Iterable[Mapping[str, object]]) -> str:
    """Return the SHA-256 over the committed columns of `rows`, whatever their order."""
    lines = sorted(canonical([row[name] for name in COMMITTED]) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def digest_of_inputs(inputs: Mapping[str, object]) -> str:
    """Return the SHA-256 over what a forecast was made from."""
    return hashlib.sha256(canonical(inputs).encode()).hexdigest()


def canonical(value: object) -> str:
    """Write `value` as the one JSON text that it has: sorted keys, no spaces, moments in UTC, decimals in full."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_as_text)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, Decimal):
        return f"{value:.10f}"
    raise TypeError(f"no canonical form for {type(value).__name__}")
