"""Whether a call to the analyst that failed may have to be paid for. Pure; in doubt, yes: the cap is a promise."""

from __future__ import annotations

from apps.resilience import HttpStatus, Refused
from apps.sources.errors import BadAnswer, VendorAway


def may_be_billed(error: BaseException) -> bool:
    """Return False where certainly nothing is owed: the call never left the house, or was answered with an error status.

    A time-out, a broken connection and an answer that could not be used may all stand on the bill.
    """
    if not isinstance(error, BadAnswer | VendorAway):
        return False
    return not isinstance(error.__cause__, HttpStatus | Refused)
