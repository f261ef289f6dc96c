"""The tree of errors that cross a room's threshold.

    DeskError
    ├── Expected         part of the day's work; told to the caller, never logged as an error
    │   ├── NotFound     there is no such thing (or it is someone else's)
    │   ├── Forbidden    the caller may not
    │   ├── Conflict     the state of things does not allow it
    │   ├── Denied       risk said no
    │   └── Invalid      the input is wrong; `field` names it
    ├── Transient        may come again: retry later, `retry_after_s` says when
    ├── OutcomeUnknown   it may or may not have happened: reconcile, never retry blind
    └── Broken           an invariant failed: loud, stops what depends on it

Rooms derive their own classes and give each a stable `code`. `str(error)` is for logs; only `public_message`
ever leaves the house.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Severity = Literal["low", "medium", "high", "critical"]
Category = Literal["database", "trading", "api", "validation", "sources", "forecasts", "ledger", "audit", "backups", "queue"]


class DeskError(Exception):
    """The root of every error that the desk raises on purpose."""

    code: ClassVar[str] = "desk-error"
    severity: ClassVar[Severity] = "medium"
    category: ClassVar[Category] = "api"
    public_message: ClassVar[str] = "The request could not be completed."

    def __init__(self, message: str = "", *, retry_after_s: float | None = None, field: str | None = None) -> None:
        super().__init__(message or self.public_message)
        self.retry_after_s = retry_after_s
        self.field = field


class Expected(DeskError):
    """Part of the day's work: tell the caller, change nothing."""

    code = "expected"
    severity = "low"


class NotFound(Expected):
    """There is no such thing, or it is someone else's; both look the same from outside."""

    code = "not-found"
    public_message = "Not found."


class Forbidden(Expected):
    """The caller is known but may not do this."""

    code = "forbidden"
    public_message = "You may not do this."


class Conflict(Expected):
    """The present state does not allow it; reading again and deciding anew may help."""

    code = "conflict"
    public_message = "The present state does not allow this."


class Denied(Expected):
    """Risk said no; the decision with its reason codes is stored."""

    code = "denied"
    category = "trading"
    public_message = "Denied by risk limits."


class Invalid(Expected):
    """The input is wrong; `field` names the part."""

    code = "invalid"
    category = "validation"
    public_message = "The input is not valid."


class Transient(DeskError):
    """It failed and may succeed later: try again after `retry_after_s`."""

    code = "transient"
    public_message = "Temporarily unavailable; try again later."


class OutcomeUnknown(DeskError):
    """It may or may not have happened: ask the other side, never send it again blind."""

    code = "outcome-unknown"
    severity = "high"
    public_message = "The outcome is not known yet."


class Broken(DeskError):
    """An invariant does not hold: stop what depends on it and call a person."""

    code = "broken"
    severity = "critical"
    public_message = "An internal check failed."
