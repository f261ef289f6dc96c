"""How this room fails."""

from __future__ import annotations

from apps.core.errors import Conflict, NotFound


class SignalNotFound(NotFound):
    """There is no such signal."""

    code = "signal-not-found"
    category = "trading"


class SignalNotInState(Conflict):
    """The signal has moved on since it was read: somebody else took, denied or expired it. Read again."""

    code = "signal-not-in-state"
    category = "trading"
    public_message = "The signal is no longer in the state that this needs."
