"""Writes of this room: what failed, what is parked, and the heartbeat of the clockwork."""

from apps.monitoring.services.dead_letters import discard, park, replay
from apps.monitoring.services.failures import record_failure
from apps.monitoring.services.heartbeat import beat_heartbeat
from apps.monitoring.services.ticking import ring_ticks

__all__ = ["beat_heartbeat", "discard", "park", "record_failure", "replay", "ring_ticks"]
