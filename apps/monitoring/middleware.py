"""The first door: health answers that need nothing, ids on every answer, a limit on every body."""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.core.clock import monotonic_s, now
from apps.core.ids import fresh_entropy, make_id
from apps.monitoring.http_metrics import count_request
from apps.monitoring.problems import problem_response

PIECE_BYTES = 65_536
DRAINED_BYTES_MAX = 16 * 1_048_576

GetResponse = Callable[[HttpRequest], HttpResponse]

# Both answers are the same for ever, so they are bytes and touch nothing: no session, no pool, no cache.
STATIC_ANSWERS = {"/healthz": b'{"status":"ok"}', "/livez": b'{"status":"alive"}'}
# What a caller may choose for its own id; anything else could forge lines in logs.
SAFE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def answer_without_services(get_response: GetResponse) -> GetResponse:
    """Make the middleware: static health, `X-Request-ID` and `X-Correlation-ID`, 413 over the body limit."""

    def answer(request: HttpRequest) -> HttpResponse:
        started_s = monotonic_s()
        request_id, correlation_id = bind_ids(request)
        response = without_services(request) or get_response(request)
        count_request(request, response, monotonic_s() - started_s)
        response.headers.setdefault("X-Request-ID", request_id)
        response.headers.setdefault("X-Correlation-ID", correlation_id)
        return response

    return answer


def bind_ids(request: HttpRequest) -> tuple[str, str]:
    """Bind both ids to the log lines of this request and return them.

    The request id is the one that django-structlog bound (made here when it is not in front); the correlation id is
    the caller's when it is safe to write down, else the request id.
    """
    bound = structlog.contextvars.get_contextvars()
    request_id = str(bound.get("request_id") or make_id("req", at=now(), entropy=fresh_entropy()))
    asked = request.headers.get("X-Correlation-ID", "")
    correlation_id = asked if SAFE_ID.fullmatch(asked) else request_id
    structlog.contextvars.bind_contextvars(request_id=request_id, correlation_id=correlation_id)
    return request_id, correlation_id


def without_services(request: HttpRequest) -> HttpResponse | None:
    """Answer what needs neither session nor database; None when the request must go on."""
    static = STATIC_ANSWERS.get(request.path_info)
    if static is not None:
        return HttpResponse(static, content_type="application/json", headers={"Cache-Control": "no-store"})
    return too_large(request)


def too_large(request: HttpRequest) -> HttpResponse | None:
    """Refuse a body over the limit before anything reads it. A body of unstated length is read as empty by WSGI."""
    stated = request.META.get("CONTENT_LENGTH") or "0"
    limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if not stated.isdecimal() or int(stated) <= limit:
        return None
    drain(request, int(stated))
    return problem_response(
        status=413, code="body-too-large", detail=f"The body may have at most {limit} bytes.", instance=request.path
    )


def drain(request: HttpRequest, stated_bytes: int) -> None:
    """Read a refused body away, so that the next request on the same connection finds its start; a huge one costs it."""
    if stated_bytes > DRAINED_BYTES_MAX:
        return
    left = stated_bytes
    while left > 0 and (piece := request.META["wsgi.input"].read(min(left, PIECE_BYTES))):
        left -= len(piece)
