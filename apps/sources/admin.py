"""Sources for staff: pause, resume, check; the fetch log and the quarantine to read only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models.functions import Length
from unfold.forms import ActionForm

from apps.core.clock import now
from apps.core.errors import Conflict, DeskError
from apps.core.read_only import ReadOnlyAdmin
from apps.sources import services
from apps.sources.models import AnalystCall, ErrandPart, FetchCall, FetchLog, Quarantine, Source

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


PER_MINUTE = forms.IntegerField(min_value=1, max_value=1_000_000, required=False)


class PaceForm(ActionForm):
    """The actions of the sources, with the number that setting a pace needs."""

    # Text, so that a wrong number reaches the action, which says what is wrong; Django would only say "no action selected".
    per_minute = forms.CharField(label="Calls a minute", required=False)


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin):
    """Every source; its state is changed by the actions, which are audited."""

    list_display = ("slug", "name", "state", "state_reason", "pace_per_minute", "last_success_at", "last_error_at", "last_error")
    list_filter = ("state",)
    actions = ("pause_chosen", "resume_chosen", "check_chosen", "close_breakers", "set_paces")
    action_form = PaceForm

    @admin.action(description="Pause: fetch nothing until resumed", permissions=["act"])
    def pause_chosen(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Pause the chosen sources."""
        for source in queryset:
            services.pause(source=source.slug, reason="paused in the admin", by=_actor(request), now=now())
        messages.success(request, f"{len(queryset)} paused.")

    @admin.action(description="Resume", permissions=["act"])
    def resume_chosen(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Lift the pause of the chosen sources."""
        for source in queryset:
            try:
                reason = services.resume(source=source.slug, by=_actor(request), now=now())
            except Conflict as refusal:
                messages.error(request, str(refusal))
            else:
                end = f"no longer paused, but off: it {reason}" if reason else "resumed"
                messages.success(request, f"{source.name} is {end}.")

    @admin.action(description="Check: ask the live vendor one small question", permissions=["act"])
    def check_chosen(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Ask each chosen vendor and show what it said."""
        for source in queryset:
            result = services.self_check(source=source.slug, by=_actor(request), now=now())
            show = messages.success if result.is_good else messages.error
            show(request, f"{source.name}: {result.message}")

    @admin.action(description="Close the breaker and let the pace start afresh", permissions=["act"])
    def close_breakers(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Close the breakers of the chosen sources by hand."""
        for source in queryset:
            services.reset_breaker(source=source.slug, by=_actor(request), now=now())
        messages.success(request, f"{len(queryset)} breakers closed.")

    @admin.action(description="Set the pace: calls a minute at most; empty: as published", permissions=["act"])
    def set_paces(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Set how often a minute the chosen sources are called at most, in all processes from their next call on."""
        try:
            per_minute = PER_MINUTE.clean(request.POST.get("per_minute"))
        except ValidationError:
            messages.error(request, "Calls a minute are a whole number of at least 1, or empty.")
            return
        said = f"at most {per_minute} calls a minute" if per_minute else "pace as published"
        for source in queryset:
            try:
                services.set_pace(source=source.slug, per_minute=per_minute, by=_actor(request), now=now())
            except DeskError as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, f"{source.name}: {said}.")

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Acting on sources needs Django's permission to change them, which the read-only form does not use."""
        return bool(request.user.has_perm("sources.change_source"))


@admin.register(FetchLog)
class FetchLogAdmin(ReadOnlyAdmin):
    """Every fetch."""

    list_display = (
        "started_at",
        "source",
        "operation",
        "outcome",
        "http_status",
        "duration_ms",
        "rate_wait_ms",
        "calls",
        "bytes",
        "records",
        "rejected",
    )
    list_filter = ("source", "operation", "outcome")
    list_select_related = ("source",)
    show_full_result_count = False


@admin.register(FetchCall)
class FetchCallAdmin(ReadOnlyAdmin):
    """Every call of every fetch."""

    list_display = (
        "id",
        "fetch",
        "path",
        "outcome",
        "http_status",
        "duration_ms",
        "attempts",
        "bytes",
        "rate_wait_ms",
        "breaker_state",
        "payload_digest",
    )
    list_filter = ("fetch__source", "outcome", "breaker_state")
    list_select_related = ("fetch__source",)
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(ErrandPart)
class ErrandPartAdmin(ReadOnlyAdmin):
    """What was answered to errands that wait for a slot. Their bodies are the vendor's, and gone when the errand ends."""

    list_display = ("errand", "name", "size", "kept_at")
    fields = ("errand", "name", "size", "kept_at")
    search_fields = ("errand",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ErrandPart]:
        """Leave the bodies in the database: a page shows how long they are."""
        parts: QuerySet[ErrandPart] = super().get_queryset(request)
        return parts.defer("body", "told").annotate(body_bytes=Length("body"))

    @admin.display(description="bytes")
    def size(self, part: ErrandPart) -> int:
        """The length of the kept body."""
        return int(part.body_bytes)  # type: ignore[attr-defined]  # annotated above


@admin.register(Quarantine)
class QuarantineAdmin(ReadOnlyAdmin):
    """Everything that was not believed."""

    list_display = ("last_seen_at", "source", "operation", "reason", "row_key", "seen_count", "at")
    list_filter = ("source", "operation")
    list_select_related = ("source",)
    search_fields = ("reason", "row_key")
    show_full_result_count = False


@admin.register(AnalystCall)
class AnalystCallAdmin(ReadOnlyAdmin):
    """Every question to the analyst and what it cost in US dollars."""

    list_display = (
        "asked_at",
        "source",
        "model",
        "state",
        "outcome",
        "reserved_cost",
        "cost",
        "prompt_tokens",
        "completion_tokens",
    )
    list_filter = ("source", "state", "day")
    list_select_related = ("source",)
    search_fields = ("=question_digest",)


def _actor(request: HttpRequest) -> str:
    return f"staff:{request.user.get_username()}"
