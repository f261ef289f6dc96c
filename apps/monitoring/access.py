"""Who may see the house from inside: staff sessions, and programs that hold the ops token."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from apps.monitoring.problems import problem_response

View = TypeVar("View", bound=Callable[..., HttpResponse])

SCHEME = "bearer"
READING = ("GET", "HEAD")


def bearer_token(request: HttpRequest) -> str | None:
    """Return the token of an `Authorization: Bearer …` header, or None when there is no such header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == SCHEME else None


def is_ops_token(token: str | None) -> bool:
    """Return whether `token` is the ops token; compared in constant time, and never true while none is set."""
    expected: str = settings.OPS_TOKEN
    return bool(expected) and token is not None and hmac.compare_digest(token.encode(), expected.encode())


def is_staff(request: HttpRequest) -> bool:
    """Return whether the session belongs to an active member of the staff."""
    user = getattr(request, "user", None)
    return bool(user and user.is_active and user.is_staff)


def is_allow_listed(request: HttpRequest) -> bool:
    """Return whether the caller's own address (never a forwarded one) is on METRICS_ALLOW_LIST."""
    return request.META.get("REMOTE_ADDR", "") in settings.METRICS_ALLOW_LIST


def refused(request: HttpRequest) -> HttpResponse:
    """Build the 401 that asks for a token."""
    answer = problem_response(
        status=401, code="not-authenticated", detail="Sign in as staff or send the ops token.", instance=request.path
    )
    answer["WWW-Authenticate"] = "Bearer"
    return answer


def read_only(view: View) -> View:
    """Let only GET and HEAD through, and say so as a problem; nothing is changed here, so no CSRF token is asked for."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in READING:
            return view(request, *args, **kwargs)
        detail = f'Method "{request.method}" not allowed.'
        answer = problem_response(status=405, code="method-not-allowed", detail=detail, instance=request.path)
        answer["Allow"] = ", ".join(READING)
        return answer

    return cast(View, csrf_exempt(guarded))


def staff_or_ops(view: View) -> View:
    """Let only staff and holders of the ops token through. The token is looked at first: it needs no database."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_ops_token(bearer_token(request)) or is_staff(request):
            return view(request, *args, **kwargs)
        return refused(request)

    return cast(View, guarded)


def ops_or_allow_listed(view: View) -> View:
    """Let only holders of the ops token and allow-listed addresses through; needs neither session nor database."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_ops_token(bearer_token(request)) or is_allow_listed(request):
            return view(request, *args, **kwargs)
        return refused(request)

    return cast(View, guarded)
