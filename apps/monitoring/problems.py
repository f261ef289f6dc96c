"""Problem documents (RFC 9457): the one shape in which the house says that something went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from django.http import JsonResponse

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:bellwether:problem:"

FieldErrors = Mapping[str, Sequence[str]]


def correlation_id() -> str:
    """Return the correlation id bound to this request, or an empty string outside of one."""
    bound = structlog.contextvars.get_contextvars()
    return str(bound.get("correlation_id") or bound.get("request_id") or "")


def problem(
    *, status: int, code: str, detail: str, instance: str, errors: FieldErrors | None = None, title: str | None = None
) -> dict[str, Any]:
    """Build the document. `errors` maps a field to its messages and is left out when there are none."""
    document: dict[str, Any] = {
        "type": f"{TYPE_PREFIX}{code}",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": instance,
        "correlation_id": correlation_id(),
    }
    if errors:
        document["errors"] = {field: list(messages) for field, messages in errors.items()}
    return document


def problem_response(*, status: int, code: str, detail: str, instance: str, errors: FieldErrors | None = None) -> JsonResponse:
    """Build the document as an answer of plain Django."""
    body = problem(status=status, code=code, detail=detail, instance=instance, errors=errors)
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)
