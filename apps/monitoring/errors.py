"""How this room says no."""

from apps.core.errors import Conflict, NotFound, Transient


class DeadLetterNotFound(NotFound):
    """There is no dead letter with this id."""

    code = "dead-letter-not-found"


class DeadLetterEnded(Conflict):
    """The dead letter was replayed or discarded already."""

    code = "dead-letter-ended"


class BrokerAway(Transient):
    """The broker could not be reached; the dead letter stays parked. Try again."""

    code = "broker-away"
