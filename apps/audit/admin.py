"""The memory in the admin: to read, never to write."""

from __future__ import annotations

from django.contrib import admin

from apps.audit.models import Event, Seal, SealedEvent, UnsealedEvent
from apps.core.read_only import ReadOnlyAdmin


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """What happened, newest first."""

    list_display = ("id", "at", "action", "subject", "actor", "tenant")
    list_filter = ("action",)
    search_fields = ("subject", "actor")


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin):
    """The links of the chain."""

    list_display = ("number", "sealed_at", "event_count", "first_event_id", "last_event_id", "digest")
    date_hierarchy = "sealed_at"
    search_fields = ("=number", "digest")


@admin.register(SealedEvent)
class SealedEventAdmin(ReadOnlyAdmin):
    """Which event lies under which seal."""

    list_display = ("event_id", "seal", "position")
    list_select_related = ("seal",)
    search_fields = ("=event_id", "=seal__number")


@admin.register(UnsealedEvent)
class UnsealedEventAdmin(ReadOnlyAdmin):
    """What waits for its seal; a long list means that sealing stands still."""

    list_display = ("event_id",)
    search_fields = ("=event_id",)
