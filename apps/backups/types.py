"""What crosses this room's threshold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class BackupView:
    """One line of the registry; `tables` and `rows` are counted at the dump's snapshot."""

    id: str
    kind: str
    state: str
    path: str
    size_bytes: int
    checksum: str
    tables: int
    rows: int
    server_version: str
    started_at: datetime
    finished_at: datetime | None
    error: str

    @property
    def is_done(self) -> bool:
        """Whether the file is complete and kept."""
        return self.state == "done"

    def as_figures(self) -> dict[str, Any]:
        """Return the fields for a command to print."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RestoreView:
    """One proof: what a real restore of a backup showed. `differences` names at most a hundred."""

    id: str
    backup_id: str
    is_good: bool
    tables_compared: int
    rows_compared: int
    differences: tuple[str, ...]
    started_at: datetime
    finished_at: datetime

    def as_figures(self) -> dict[str, Any]:
        """Return the fields for a command to print."""
        return asdict(self) | {"differences": list(self.differences)}
