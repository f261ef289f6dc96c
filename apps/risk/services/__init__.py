"""What risk does: decide, lock and unlock, set limits."""

from apps.risk.services.deciding import decide
from apps.risk.services.limiting import ensure_limits, set_limits
from apps.risk.services.locking import halt, rearm, stop_as_broken, trip

__all__ = ["decide", "ensure_limits", "halt", "rearm", "set_limits", "stop_as_broken", "trip"]
