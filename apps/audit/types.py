"""What crosses this room's threshold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class SealView:
    """One link of the chain."""

    id: str
    number: int
    sealed_at: datetime
    event_count: int
    first_event_id: int
    last_event_id: int
    previous_digest: str
    digest: str
    signature: str

    @classmethod
    def of(cls, row: Any) -> SealView:
        """Copy the fields of a row."""
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the whole chain found. `problems` stops at the first hundred."""

    is_good: bool
    events: int
    seals: int
    unsealed: int
    first_problem: str | None
    problems: tuple[str, ...]

    def as_figures(self) -> dict[str, Any]:
        """Return the fields for a command to print."""
        return asdict(self) | {"problems": list(self.problems)}
