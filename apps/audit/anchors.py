"""Anchors: the newest link written down outside of the database, so that a chain cut off at its end is found. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.audit import chain
from apps.audit.errors import UnreadableAnchor


@dataclass(frozen=True, slots=True)
class Anchor:
    """One link as it was when somebody wrote it down."""

    number: int
    sealed_at: datetime
    digest: str
    signature: str

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Anchor:
        """Read the form that `as_json` writes. Raises UnreadableAnchor."""
        try:
            if raw["format"] != chain.FORMAT:
                raise UnreadableAnchor(f"the anchor has the format {raw['format']!r}, not {chain.FORMAT!r}")
            return cls(
                number=int(raw["number"]),
                sealed_at=datetime.fromisoformat(raw["sealed_at"]),
                digest=str(raw["digest"]),
                signature=str(raw["signature"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableAnchor(f"the anchor cannot be read: {type(error).__name__}: {error}") from error

    def as_json(self) -> dict[str, Any]:
        """Write the anchor as plain JSON."""
        return {
            "format": chain.FORMAT,
            "number": self.number,
            "sealed_at": chain.moment(self.sealed_at),
            "digest": self.digest,
            "signature": self.signature,
        }
