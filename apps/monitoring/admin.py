"""Failures and dead letters for staff: read, replay, discard; never edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from unfold.admin import ModelAdmin

from apps.core.clock import now
from apps.core.errors import DeskError
from apps.monitoring import services
from apps.monitoring.models import DeadLetter, TaskFailure
from apps.monitoring.schedule_admin import CrontabScheduleAdmin, IntervalScheduleAdmin, PeriodicTaskAdmin

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

__all__ = ["CrontabScheduleAdmin", "DeadLetterAdmin", "IntervalScheduleAdmin", "PeriodicTaskAdmin", "TaskFailureAdmin"]


class ReadOnlyAdmin(ModelAdmin):
    """A model that people may look at only."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # Django's signature
        """Nobody adds by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # Django's signature
        """Nobody edits by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # Django's signature
        """Nobody deletes by hand."""
        return False


@admin.register(TaskFailure)
class TaskFailureAdmin(ReadOnlyAdmin):
    """Every failed execution."""

    list_display = ("at", "task", "kind", "error")
    list_filter = ("kind", "task")
    search_fields = ("task", "error", "task_id")
    show_full_result_count = False


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Parked work with its two ways out."""

    list_display = ("id", "task", "state", "attempts", "reason", "parked_at", "ended_by")
    list_filter = ("state", "task")
    search_fields = ("id", "task", "reason")
    actions = ("replay", "discard")

    @admin.action(description="Send again")
    def replay(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Send the chosen work again."""
        self.each(request, queryset, services.replay)

    @admin.action(description="Let go")
    def discard(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Let the chosen work go."""
        self.each(request, queryset, services.discard)

    def each(self, request: HttpRequest, queryset: QuerySet[DeadLetter], act: Callable[..., None]) -> None:
        """Do `act` with every chosen letter and say what did not work."""
        for letter_id in queryset.values_list("id", flat=True):
            try:
                act(dead_letter_id=letter_id, by=f"user:{request.user.pk}", now=now())
            except DeskError as error:
                self.message_user(request, str(error), messages.WARNING)
