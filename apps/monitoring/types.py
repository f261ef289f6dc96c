"""What crosses the threshold of this room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureView:
    """One failed execution of a task."""

    id: int
    task: str
    kind: str
    error: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Check:
    """The answer of one health check: whether it holds, what all may see, what staff may see besides."""

    is_healthy: bool
    shown: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
