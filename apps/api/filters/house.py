"""Filters of tenants, audit events and backups."""

from __future__ import annotations

from apps.api.filters.base import Filters, before, one_of, same, since, truth


class TenantFilter(Filters):
    """By slug."""

    slug = same()
    is_active = truth()


class AuditEventFilter(Filters):
    """By deed, thing, actor and time."""

    action = same()
    subject = same()
    actor = same()
    tenant = same()
    since = since("at")
    before = before("at")


class BackupFilter(Filters):
    """By kind and state."""

    kind = one_of("daily", "weekly", "monthly")
    state = one_of("running", "done", "failed", "removed")
