"""The fence around claimed rows, as SQL: what a claim still holds, and the refusal of one that is stale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.core.claims import Claim, StaleLease

# The rows that the claims still hold, by the primary key. Written like this, the condition does not fit the partial index on
# running rows: that one is small to the planner's eye, yet full of dead entries under load.
HELD = """
    jobs_job.id = ANY(%(ids)s) AND state || '' = 'running'
    AND fencing_token = (%(tokens)s::bigint[])[array_position(%(ids)s::text[], jobs_job.id::text)]
"""


def held_by(claims: Sequence[Claim]) -> dict[str, Any]:
    """Build the parameters of HELD."""
    return {"ids": [claim.id for claim in claims], "tokens": [claim.token for claim in claims]}


def refuse_stale(claims: Sequence[Claim], good: int) -> None:
    """Raise StaleLease when fewer rows than claims were still held with their tokens."""
    if good != len(claims):
        named = ", ".join(f"{claim.id} with token {claim.token}" for claim in claims[:3])
        raise StaleLease(f"{len(claims) - good} of {len(claims)} claims are stale: {named}")
