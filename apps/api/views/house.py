"""Lists of tenants, audit events and backups, and who the caller is."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.authentication import OpsCaller
from apps.api.filters import house as filters
from apps.api.serializers import house as serializers
from apps.api.views.base import Row, TableViewSet
from apps.audit import selectors as audit
from apps.backups import selectors as backups
from apps.tenants import selectors as tenants


class TenantViewSet(TableViewSet):
    """Owners of portfolios and books."""

    serializer_class = serializers.TenantSerializer
    filterset_class = filters.TenantFilter
    ordering_fields = (
        "id",
        "slug",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the tenants room."""
        return tenants.tenants_table()


class AuditEventViewSet(TableViewSet):
    """Who did what to which thing, when."""

    serializer_class = serializers.AuditEventSerializer
    filterset_class = filters.AuditEventFilter
    lookup_value_regex = "[0-9]{1,18}"
    ordering_fields = (
        "id",
        "at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the audit room."""
        return audit.events_table()


class BackupViewSet(TableViewSet):
    """Dumps and whether they succeeded."""

    serializer_class = serializers.BackupSerializer
    filterset_class = filters.BackupFilter
    ordering_fields = (
        "id",
        "started_at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the backups room."""
        return backups.backups_table()


class MeView(APIView):
    """Who the desk thinks the caller is."""

    @extend_schema(responses=serializers.MeSerializer)
    def get(self, request: Request) -> Response:
        """Return the caller's name, kind and roles."""
        return Response(serializers.MeSerializer(describe(request.user)).data)


def describe(caller: Any) -> Row:
    """Describe a user with memberships, or the holder of the ops token, who has none."""
    if isinstance(caller, OpsCaller):
        return {"kind": "ops", "username": caller.username, "is_staff": False, "memberships": []}
    memberships = caller.memberships.order_by("tenant__slug").values("tenant_id", "tenant__slug", "role")
    return {"kind": "user", "username": caller.get_username(), "is_staff": caller.is_staff, "memberships": list(memberships)}
