"""Deeds of this room: making signals, and handing them to those who trade."""

from apps.signals.services.generating import generate
from apps.signals.services.handing import claim_new, expire_stale, mark_denied, mark_taken, put_back

__all__ = ["claim_new", "expire_stale", "generate", "mark_denied", "mark_taken", "put_back"]
