"""Jobs for staff: to read, to send back into the queue, to let go; what each schedule does about missed slots; crontabs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
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
from apps.jobs.services.editing import EDITABLE, SECONDS_MAX
from apps.jobs.slots import next_slots

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

NEXT_SHOWN = 3
REASON_SHOWN = 80


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """The work of the desk, the newest first. Filter by "parked" for the dead letters; those have two ways out."""

    list_display = ("work", "place", "state_now", "tries", "why", "made", "begun", "ended")
    list_filter = ("state", "queue", "task", "source", "tenant")
    search_fields = ("=id", "=key", "=scope", "=schedule")
    actions = ("replay_chosen", "discard_chosen")

    @admin.display(description="job", ordering="id")
    def work(self, job: Job) -> str:
        """What is done, and under which id."""
        return _in_two_lines(job.task, job.id)

    @admin.display(description="queue", ordering="queue")
    def place(self, job: Job) -> str:
        """Where it waits, and the source or tenant that it is for, or else the schedule that it came by."""
        return _in_two_lines(job.queue, job.source or job.tenant or job.schedule)

    @admin.display(description="tries", ordering="attempts")
    def tries(self, job: Job) -> int:
        """How often it was begun."""
        return job.attempts

    @admin.display(description="reason", ordering="reason")
    def why(self, job: Job) -> str:
        """The beginning of the reason for its state; the whole is on its page."""
        return format_html('<span class="text-xs">{}</span>', shorten(job.reason, REASON_SHOWN, placeholder=" …") or "-")

    @admin.display(description="state", ordering="state")
    def state_now(self, job: Job) -> str:
        """The state, and how far the job is, as far as it tells."""
        if job.progress_done is None:
            return job.state
        return f"{job.state}: {in_words(job.progress_done, job.progress_total, job.progress_note)}"

    @admin.display(description="made, UTC", ordering="made_at")
    def made(self, job: Job) -> str:
        """When it was written down."""
        return _to_the_second(job.made_at)

    @admin.display(description="begun, UTC", ordering="next_try_at")
    def begun(self, job: Job) -> str:
        """When its latest try began; of one that waits, when it is due."""
        return _to_the_second(job.next_try_at, "due ") if job.state == "queued" else _to_the_second(job.started_at)

    @admin.display(description="ended, UTC", ordering="finished_at")
    def ended(self, job: Job) -> str:
        """When it came to its end."""
        return _to_the_second(job.finished_at)

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
        "succeeded",
        "latest_slot",
        "last_lateness_s",
        "looked_until",
    )
    list_filter = ("misfire",)
    search_fields = ("name",)
    fields = (*EDITABLE, "name", "succeeded", "latest_slot", "last_lateness_s", "looked_until")
    readonly_fields = ("name", "succeeded", "latest_slot", "last_lateness_s", "looked_until")

    @admin.display(description="last success, UTC", ordering="last_success_at")
    def succeeded(self, schedule: Schedule) -> str:
        """When a job of it was done last."""
        return _to_the_second(schedule.last_success_at)

    @admin.display(description="last slot, UTC", ordering="last_slot_at")
    def latest_slot(self, schedule: Schedule) -> str:
        """The nominal time of that job."""
        return _to_the_second(schedule.last_slot_at)

    @admin.display(description="handled until, UTC", ordering="handled_until")
    def looked_until(self, schedule: Schedule) -> str:
        """Up to where its slots were looked at."""
        return _to_the_second(schedule.handled_until)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows come with the periodic tasks whose names they bear."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A schedule that forgot its slots would run them again."""
        return False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """Let the form refuse beside the field what the service would refuse."""
        if db_field.name in ("grace_s", "alert_after_s"):
            options |= {"min_value": 1, "max_value": SECONDS_MAX}
        return super().formfield_for_dbfield(db_field, request, **options)

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        """Show the page; what the service refuses leaves nothing behind, and nothing says that it was changed."""
        try:
            answer: HttpResponse = super().changeform_view(request, *args, **options)
        except Expected as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(request.path)
        return answer

    def save_model(self, request: HttpRequest, obj: Schedule, form: ModelForm[Schedule], change: bool) -> None:
        """Hand what the form changed to the service, which judges and audits it. Raises what the service raises."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in EDITABLE}
        services.edit_schedule(name=obj.name, changes=changes, by=_actor(request), now=clock.now())


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


def _in_two_lines(first: str, second: str) -> str:
    return format_html('{}<br><span class="text-xs whitespace-nowrap">{}</span>', first, second)


def _to_the_second(moment: datetime | None, before: str = "") -> str:
    """Write a moment on one line; the queue is a matter of seconds."""
    if moment is None:
        return "-"
    return format_html('<span class="text-xs whitespace-nowrap">{}{}</span>', before, f"{moment.astimezone(UTC):%m-%d %H:%M:%S}")


def _actor(request: HttpRequest) -> str:
    return f"user:{request.user.get_username()}"
