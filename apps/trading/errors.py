"""What can go wrong in this room."""

from apps.core.errors import Broken, Conflict, Invalid, NotFound


class OrderNotFound(NotFound):
    """There is no such order, or it is another tenant's."""

    code = "order-not-found"
    category = "trading"


class IdempotencyConflict(Conflict):
    """The same idempotency key came with another order: use a new key for a new order."""

    code = "idempotency-conflict"
    category = "trading"
    public_message = "This idempotency key was used for a different order."


class UnitsAlreadyOffered(Conflict):
    """Other sells that are still on their way offer these units already."""

    code = "units-already-offered"
    category = "trading"
    public_message = "These units are already being sold."


class WrongOrder(Invalid):
    """The order does not make sense: a buy names a stake, a sell names units, a limit lies in the market's range."""

    code = "wrong-order"


class IllegalMove(Broken):
    """An order was about to move against its state machine."""

    code = "illegal-order-move"
    category = "trading"


class OrderLost(Broken):
    """The venue does not say what became of an order: trading of its tenant stops until a person has looked."""

    code = "order-lost"
    category = "trading"
