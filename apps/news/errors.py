"""What can go wrong in this room."""

from __future__ import annotations

from apps.core.errors import Invalid


class UnknownOutcome(Invalid):
    """The market has no outcome with this identity."""

    code = "unknown-outcome"
    public_message = "The market has no such outcome."
