"""What can go wrong in this room."""

from apps.core.errors import Broken, Conflict, NotFound


class PortfolioNotFound(NotFound):
    """The tenant has no such portfolio; `ensure_portfolios` makes them."""

    code = "portfolio-not-found"
    category = "trading"


class PositionNotFound(NotFound):
    """There is no such position."""

    code = "position-not-found"
    category = "trading"


class NotEnoughUnits(Conflict):
    """More units were sold than the position holds."""

    code = "not-enough-units"
    category = "trading"
    public_message = "The position holds fewer units than that."


class PositionStateWrong(Broken):
    """A position was closed twice or reopened while open: its settlement and its row disagree."""

    code = "position-state-wrong"
    category = "trading"
