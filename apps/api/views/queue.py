"""Dead letters with their two ways out, and the schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ViewSet

from apps.api.authentication import OpsCaller
from apps.api.filters import queue as filters
from apps.api.serializers import queue as serializers
from apps.api.views.base import Row, TableViewSet
from apps.core.clock import now
from apps.jobs import selectors, services

PERMISSION = "jobs.change_job"


class DeadLetterViewSet(TableViewSet):
    """Work that failed too often, or came too late; replay puts it back into its queue, discard lets it go."""

    serializer_class = serializers.DeadLetterSerializer
    filterset_class = filters.DeadLetterFilter
    ordering_fields = ("id", "finished_at")

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the jobs room."""
        return selectors.dead_letters_table(with_trace=self.action == "retrieve")

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Show the traceback of one letter, not of a list."""
        is_one = self.action == "retrieve"
        return serializers.DeadLetterDetailSerializer if is_one else serializers.DeadLetterSerializer

    def get_object(self) -> Row:
        """Return one letter; its traceback only to staff who may act on it, since it may tell more than they need."""
        letter: Row = super().get_object()
        caller: Any = self.request.user
        is_for_them = not isinstance(caller, OpsCaller) and may_act(caller)
        return letter if is_for_them else {**letter, "trace": None}

    @extend_schema(request=None, responses=serializers.DeedSerializer)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Put the work back into its queue with all its attempts. 409 when it is not parked any more."""
        return done(request, pk, services.replay, "queued")

    @extend_schema(request=None, responses=serializers.DeedSerializer)
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Let the work go. 409 when it is not parked any more."""
        return done(request, pk, services.discard, "discarded")


class ScheduleViewSet(ViewSet):
    """Everything that comes by the clock and is on, by name, with its next runs."""

    @extend_schema(responses=serializers.SchedulePageSerializer, operation_id="v1_schedules_list")
    def list(self, request: Request) -> Response:
        """Return all schedules on one page."""
        page = {"next": None, "previous": None, "results": selectors.schedule_standings(now=now())}
        return Response(serializers.SchedulePageSerializer(page).data)


def may_act(caller: Any) -> bool:
    """Return whether the caller may replay and discard: the ops token, and staff with the permission."""
    return isinstance(caller, OpsCaller) or bool(caller.has_perm(PERMISSION))


def done(request: Request, job_id: str, act: Callable[..., None], state: str) -> Response:
    """Do the deed in the caller's name and say what became of the job."""
    caller: Any = request.user
    if not may_act(caller):
        raise PermissionDenied
    by = "ops" if isinstance(caller, OpsCaller) else f"user:{caller.get_username()}"
    act(job_id=job_id, by=by, now=now())
    return Response(serializers.DeedSerializer({"id": job_id, "state": state}).data)
