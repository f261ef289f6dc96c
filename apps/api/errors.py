"""The one place where errors become answers: problem documents (RFC 9457), never a stack trace.

NotFound 404 · Forbidden 403 · Conflict 409 · Denied 409 `risk-limit-exceeded` · Invalid 400 with its field
Transient 503 with Retry-After · OutcomeUnknown 503 · Broken 500 · the framework's own by their status
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.core import errors
from apps.monitoring.problems import CONTENT_TYPE, problem, problem_response

if TYPE_CHECKING:
    from django.http import HttpRequest

API_PREFIX = "/api/"
PAGE = "text/html"
RETRY_AFTER_DEFAULT_S = 5
STATUS_OF_KIND: tuple[tuple[type[errors.DeskError], int], ...] = (
    (errors.NotFound, 404),
    (errors.Forbidden, 403),
    (errors.Conflict, 409),
    (errors.Denied, 409),
    (errors.Invalid, 400),
    (errors.Expected, 400),
    (errors.Transient, 503),
    (errors.OutcomeUnknown, 503),
)
CODE_OF_STATUS = {
    400: "invalid",
    401: "not-authenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "body-too-large",
    415: "unsupported-media-type",
    429: "too-many-requests",
}
AWAY = (OperationalError, InterfaceError)


def as_problem(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Turn what a view raised into a problem answer; None for the unexpected, which `server_error` answers and logs."""
    path = context["request"].path
    if isinstance(error, errors.DeskError):
        return _of_desk_error(error, path)
    if isinstance(error, AWAY):
        return _of_desk_error(errors.Transient(), path)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    return _of_framework(error, path) if isinstance(error, exceptions.APIException) else None


def status_of(error: errors.DeskError) -> int:
    """Return the HTTP status of an error's kind; 500 for Broken and for kinds not named."""
    return next((status for kind, status in STATUS_OF_KIND if isinstance(error, kind)), 500)


def _of_desk_error(error: errors.DeskError, path: str) -> Response:
    status = status_of(error)
    detail = str(error) if isinstance(error, errors.Expected) else error.public_message
    body = problem(
        status=status,
        code="risk-limit-exceeded" if isinstance(error, errors.Denied) else error.code,
        detail=detail,
        instance=path,
        errors={error.field: [detail]} if error.field else None,
    )
    headers = {"Retry-After": str(_retry_after_s(error))} if status == 503 else None
    return _answer(body, headers)


def _of_framework(error: exceptions.APIException, path: str) -> Response:
    is_by_field = isinstance(error, exceptions.ValidationError)
    status = error.status_code
    body = problem(
        status=status,
        code=CODE_OF_STATUS.get(status, "error"),
        detail="The input is not valid." if is_by_field else str(error.detail),
        instance=path,
        errors=_by_field(error.detail) if is_by_field else None,
    )
    return _answer(body, _framework_headers(error))


def _framework_headers(error: exceptions.APIException) -> dict[str, str]:
    scheme, wait_s = getattr(error, "auth_header", None), getattr(error, "wait", None)
    asked = {"WWW-Authenticate": str(scheme)} if scheme else {}
    return asked | ({"Retry-After": str(math.ceil(wait_s))} if wait_s else {})


def _answer(body: dict[str, Any], headers: dict[str, str] | None) -> Response:
    set_rollback()
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def _retry_after_s(error: errors.DeskError) -> int:
    return math.ceil(error.retry_after_s) if error.retry_after_s is not None else RETRY_AFTER_DEFAULT_S


def _by_field(detail: Any) -> dict[str, list[str]]:
    if isinstance(detail, Mapping):
        return {str(name): [str(message) for message in _listed(messages)] for name, messages in detail.items()}
    return {"body": [str(message) for message in _listed(detail)]}


def _listed(messages: Any) -> list[Any]:
    return list(messages) if isinstance(messages, (list, tuple)) else [messages]


def wants_problem(request: HttpRequest) -> bool:
    """Return whether a program asks: anything under /api/, and whoever does not ask for pages by name, as browsers do."""
    return request.path.startswith(API_PREFIX) or PAGE not in request.META.get("HTTP_ACCEPT", "")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400 outside of views (a forged host, too many fields)."""
    if wants_problem(request):
        return problem_response(status=400, code="invalid", detail="The request is not valid.", instance=request.path)
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403 outside of DRF views."""
    if wants_problem(request):
        return problem_response(status=403, code="forbidden", detail="You may not do this.", instance=request.path)
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404: a problem for programs, a page for browsers."""
    if wants_problem(request):
        return problem_response(status=404, code="not-found", detail="Not found.", instance=request.path)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what nobody foresaw: 503 while the database is away, else 500; Django has logged it already."""
    if isinstance(sys.exc_info()[1], AWAY):
        away = problem_response(status=503, code="transient", detail=errors.Transient.public_message, instance=request.path)
        away["Retry-After"] = str(RETRY_AFTER_DEFAULT_S)
        return away
    if wants_problem(request):
        return problem_response(
            status=500, code="internal-error", detail="Something went wrong; it was noted.", instance=request.path
        )
    return defaults.server_error(request)
