"""How a program says who it is: the ops token as a bearer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from apps.monitoring.access import bearer_token, is_ops_token

if TYPE_CHECKING:
    from rest_framework.request import Request

SCHEME = "Bearer"


class OpsCaller:
    """The holder of the ops token: a program without a user row."""

    pk = None
    username = "ops"
    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_staff = False

    def __str__(self) -> str:
        return self.username


class OpsToken(BaseAuthentication):
    """`Authorization: Bearer <OPS_TOKEN>`. A wrong token is refused, not ignored."""

    def authenticate(self, request: Request) -> tuple[OpsCaller, str] | None:
        """Return the ops caller, or None when there is no bearer header. Raises AuthenticationFailed."""
        token = bearer_token(request._request)
        if token is None:
            return None
        if not is_ops_token(token):
            raise AuthenticationFailed("The token is not valid.")
        return OpsCaller(), SCHEME

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, so that a missing token gives 401 and not 403."""
        return SCHEME
