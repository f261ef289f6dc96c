"""Jobs for staff: to read, to send back into the queue, to let go; what each schedule does about missed slots; crontabs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django_celery_beat import admin as beat
from django_celery_beat.models import CrontabSchedule
from unfold.admin import ModelAdmin

from apps.core import clock
from apps.core.errors import Expected
from apps.core.progress import in_words
from apps.core.read_only import ReadOnlyAdmin
from apps.jobs import services
from apps.jobs.definitions import crontab_of
from apps.jobs.models import Job, Schedule
from apps.jobs.services.editing import EDITABLE
from apps.jobs.slots import next_slots

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

NEXT_SHOWN = 3


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """The work of the desk, the newest first. Filter by "parked" for the dead letters; those have two ways out."""

    list_display = (
        "id",
        "task",
        "queue",
        "state",
        "progress",
        "attempts",
        "reason",
        "made_at",
        "next_try_at",
        "started_at",
        "finished_at",
        "schedule",
        "source",
        "tenant",
    )
    list_filter = ("state", "queue", "task", "source", "tenant")
    search_fields = ("=id", "=key", "=scope", "=schedule")
    actions = ("replay_chosen", "discard_chosen")

    @admin.display(description="progress")
    def progress(self, job: Job) -> str:
        """How far the job is, as far as it tells."""
        return "-" if job.progress_done is None else in_words(job.progress_done, job.progress_total, job.progress_note)

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Acting on jobs, and reading their tracebacks, needs Django's permission to change them."""
        return bool(request.user.has_perm("jobs.change_job"))

    def get_exclude(self, request: HttpRequest, obj: Job | None = None) -> tuple[str, ...]:
        """Show the traceback to those who may act on it."""
        return () if self.has_act_permission(request) else ("trace",)

    @admin.action(description="Replay: back into the queue with all attempts", permissions=["act"])
    def replay_chosen(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Put the chosen parked jobs back into their queues."""
        self.each(request, queryset, services.replay, "replayed")

    @admin.action(description="Discard: let the work go", permissions=["act"])
    def discard_chosen(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Let the chosen parked jobs go."""
        self.each(request, queryset, services.discard, "discarded")

    def each(self, request: HttpRequest, queryset: QuerySet[Job], act: Callable[..., None], deed: str) -> None:
        """Do `act` with every chosen job, say how many it was done with, and what was refused."""
        done = 0
        for job_id in queryset.values_list("id", flat=True):
            try:
                act(job_id=job_id, by=_actor(request), now=clock.now())
            except Expected as refusal:
                messages.warning(request, str(refusal))
            else:
                done += 1
        messages.success(request, f"{done} {deed}.")


@admin.register(Schedule)
class ScheduleAdmin(ModelAdmin):
    """What each schedule does about missed slots, and how it went. When it runs is edited under periodic tasks."""

    list_display = (
        "name",
        "misfire",
        "grace_s",
        "alert_after_s",
        "last_success_at",
        "last_slot_at",
        "last_lateness_s",
        "handled_until",
    )
    list_filter = ("misfire",)
    search_fields = ("name",)
    fields = (*EDITABLE, "name", "last_success_at", "last_slot_at", "last_lateness_s", "handled_until")
    readonly_fields = ("name", "last_success_at", "last_slot_at", "last_lateness_s", "handled_until")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows come with the periodic tasks whose names they bear."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A schedule that forgot its slots would run them again."""
        return False

    def save_model(self, request: HttpRequest, obj: Schedule, form: ModelForm[Schedule], change: bool) -> None:
        """Hand what the form changed to the service, which judges and audits it."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in EDITABLE}
        try:
            services.edit_schedule(name=obj.name, changes=changes, by=_actor(request), now=clock.now())
        except Expected as refusal:
            messages.error(request, str(refusal))


class CrontabForm(ModelForm):
    """The five fields and a zone, judged by what beat itself reads them with."""

    def clean(self) -> dict[str, Any]:
        """Refuse what has no slots."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                crontab_of(CrontabSchedule(**cleaned))
            except ValueError as error:
                raise ValidationError(str(error)) from error
        return cleaned

    def clean_day_of_month(self) -> str:
        """Write `l` as everybody does."""
        return str(self.cleaned_data["day_of_month"]).upper()

    def _get_validation_exclusions(self) -> set[str]:
        # The check that the library's column brings knows no `L`; ours stands in its place.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # django-stubs leave it out
        return excluded | {"day_of_month"}


admin.site.unregister(CrontabSchedule)


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(beat.CrontabScheduleAdmin, ModelAdmin):
    """At times of day."""

    form = CrontabForm
    list_display = ("__str__", "human_readable", "comes_next")
    fields = ("human_readable", "comes_next", "minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone")
    readonly_fields = ("human_readable", "comes_next")

    @admin.display(description="comes next, UTC")
    def comes_next(self, row: CrontabSchedule) -> str:
        """The next nominal times, as beat finds them."""
        try:
            slots = next_slots(crontab_of(row), clock.now(), NEXT_SHOWN)
        except ValueError as error:
            return f"never: {error}"
        return ", ".join(f"{slot:%Y-%m-%d %H:%M}" for slot in slots)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """Tell what the library's own words leave out."""
        field = super().formfield_for_dbfield(db_field, request, **options)
        if db_field.name == "day_of_month":
            field.help_text = f"{field.help_text} L is the last day of the month."
        return field


def _actor(request: HttpRequest) -> str:
    return f"user:{request.user.get_username()}"
