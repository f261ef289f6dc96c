"""What can go wrong in this room."""

from apps.core.errors import Denied, Invalid, NotFound


class RiskDenied(Denied):
    """A hard limit said no; `reasons` are the codes of the checks and the decision is stored under `decision_id`."""

    code = "risk-limit-exceeded"

    def __init__(self, message: str, *, reasons: tuple[str, ...] = (), decision_id: str = "") -> None:
        super().__init__(message)
        self.reasons = reasons
        self.decision_id = decision_id


class LimitsNotFound(NotFound):
    """The tenant has no limits yet; `ensure_limits` gives it the defaults. Without limits nothing is allowed."""

    code = "limits-not-found"
    category = "trading"


class WrongLimit(Invalid):
    """There is no limit of this name, or its value makes no sense."""

    code = "wrong-limit"
