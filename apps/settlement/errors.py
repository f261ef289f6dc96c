"""What can go wrong in this room."""

from apps.core.errors import Broken, Conflict, NotFound


class SettlementNotFound(NotFound):
    """There is no such settlement."""

    code = "settlement-not-found"
    category = "trading"


class AlreadyReversed(Conflict):
    """This settlement was reversed before; look for the one in force."""

    code = "settlement-already-reversed"
    category = "trading"
    public_message = "This settlement was reversed before."


class NoResult(Conflict):
    """The market has no result yet: nothing settles on hope."""

    code = "no-result"
    category = "trading"
    public_message = "The market has no result yet."


class OrdersOnTheirWay(Conflict):
    """The market has orders that something can still happen to; settle when they have ended."""

    code = "orders-on-their-way"
    category = "trading"
    public_message = "The market has orders that are not finished."


class PayoutMissing(Broken):
    """A final result does not say what a held outcome pays."""

    code = "payout-missing"
    category = "trading"
