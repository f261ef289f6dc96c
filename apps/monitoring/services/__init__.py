"""Writes of this room: what failed, and the heartbeat of the clockwork."""

from apps.monitoring.services.failures import record_failure
from apps.monitoring.services.heartbeat import beat_heartbeat
from apps.monitoring.services.ticking import ring_ticks

__all__ = ["beat_heartbeat", "record_failure", "ring_ticks"]
