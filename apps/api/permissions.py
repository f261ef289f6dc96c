"""Who may read what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission

from apps.api.authentication import OpsCaller
from apps.monitoring.access import is_staff

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class IsStaffOrOps(BasePermission):
    """Staff with a session, or a program with the ops token."""

    message = "This is for staff."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the caller is one of the two."""
        caller: Any = request.user
        return isinstance(caller, OpsCaller) or is_staff(request._request)
