"""What this room fails with."""

from apps.core.errors import Conflict, Denied, Invalid, NotFound


class AccountNotFound(NotFound):
    """This tenant has no such account: open it first."""

    code = "account-not-found"


class EntryNotFound(NotFound):
    """There is no such entry."""

    code = "entry-not-found"


class HoldNotFound(NotFound):
    """There is no such hold."""

    code = "hold-not-found"


class UnfitEntry(Invalid):
    """The lines do not make an entry: at least two, none zero, one currency, debits equal to credits."""

    code = "unfit-entry"
    public_message = "The lines do not make a balanced entry."


class UnfitAccount(Invalid):
    """No account of this kind or currency is kept."""

    code = "unfit-account"
    public_message = "No account of this kind or currency is kept."


class UnfitHold(Invalid):
    """A hold needs a positive amount."""

    code = "unfit-hold"
    public_message = "A hold needs a positive amount."


class InsufficientFunds(Denied):
    """What is available on the account does not cover the amount; nothing was booked."""

    code = "insufficient-funds"
    public_message = "The available balance does not cover this."


class ReferenceTaken(Conflict):
    """The reference was used before for something else: take another one, or send the same content again."""

    code = "reference-taken"
    public_message = "This reference was used before for something else."


class AccountDiffers(Conflict):
    """The account exists with another kind, currency or rule; these never change."""

    code = "account-differs"


class AlreadyReversed(Conflict):
    """The entry has its reversal already, under another reference."""

    code = "already-reversed"
    public_message = "This entry was reversed before."


class HoldEnded(Conflict):
    """The hold has ended in the other way: what was captured cannot be voided, and the reverse."""

    code = "hold-ended"
    public_message = "This hold has ended already."
