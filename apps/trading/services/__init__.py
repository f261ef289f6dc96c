"""What trading does: take signals, place orders, work the due ones, reconcile the lost ones."""

from apps.trading.services.placing import place_order
from apps.trading.services.reconciling import reconcile
from apps.trading.services.taking import take_signals
from apps.trading.services.working import work_due

__all__ = ["place_order", "reconcile", "take_signals", "work_due"]
