"""Failures for staff, never to edit; and the schedule in the theme of all pages."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.core.read_only import ReadOnlyAdmin
from apps.jobs.definitions import interval_of
from apps.monitoring.models import TaskFailure


@admin.register(TaskFailure)
class TaskFailureAdmin(ReadOnlyAdmin):
    """Every failed execution."""

    list_display = ("at", "task", "kind", "error")
    list_filter = ("kind", "task")
    search_fields = ("task", "error", "task_id")
    show_full_result_count = False


for model in (PeriodicTask, IntervalSchedule, SolarSchedule, ClockedSchedule):
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


class IntervalForm(ModelForm):
    """A number and its unit, judged by what beat itself reads them with."""

    def clean(self) -> dict[str, Any]:
        """Refuse what beat would not run."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                interval_of(IntervalSchedule(**cleaned))
            except ValueError as error:
                raise ValidationError(str(error)) from error
        return cleaned


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ModelAdmin):
    """Every so many seconds."""

    form = IntervalForm
