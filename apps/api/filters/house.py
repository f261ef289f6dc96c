"""Filters of tenants, audit events and backups."""

from __future__ import annotations

from django_filters import rest_framework as filters

from apps.api.filters.base import before, one_of, same, since, truth


class TenantFilter(filters.FilterSet):
    """By slug."""

    slug = same()
    is_active = truth()


class AuditEventFilter(filters.FilterSet):
    """By deed, thing, actor and time."""

    action = same()
    subject = same()
    actor = same()
    tenant = same()
    since = since("at")
    before = before("at")


class BackupFilter(filters.FilterSet):
    """By kind and state."""

    kind = one_of("daily", "weekly", "monthly")
    state = one_of("running", "done", "failed", "removed")
