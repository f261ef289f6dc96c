"""Failures and dead letters for staff: read, replay, discard, never edit; and the schedule in the theme of all pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.core.clock import now
from apps.core.errors import DeskError
from apps.core.read_only import ReadOnlyAdmin
from apps.monitoring import services
from apps.monitoring.models import DeadLetter, TaskFailure

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


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


for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    admin.site.unregister(model)


class TaskChoice(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    """The list of tasks that the workers know."""


class PeriodicTaskForm(beat.PeriodicTaskForm):
    """The library's form with the theme's widgets."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskChoice()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, ModelAdmin):
    """What runs when; changes are picked up by beat within a second."""

    form = PeriodicTaskForm


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ModelAdmin):
    """Every so many seconds."""


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(beat.CrontabScheduleAdmin, ModelAdmin):
    """At a time of day."""
