"""Pages for operators and their programs: `/metrics` in Prometheus' format and the same house as JSON."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST

from apps.core.clock import now
from apps.monitoring import operations
from apps.monitoring.access import ops_or_allow_listed, read_only, staff_or_ops
from apps.monitoring.metrics import exposition


@never_cache
@read_only
@ops_or_allow_listed
def metrics(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  # Django's signature
    """Answer Prometheus; needs neither session nor database for the counters."""
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)


@never_cache
@read_only
@staff_or_ops
def api_metrics(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  # Django's signature
    """Answer with operations, cache hit rate, errors, uptime."""
    return JsonResponse(operations.performance(now=now()))


@never_cache
@read_only
@staff_or_ops
def monitoring_metrics(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  # Django's signature
    """Answer with queues, database, sources, audit."""
    return JsonResponse(operations.house(now=now()))


@never_cache
@read_only
@staff_or_ops
def backup_status(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  # Django's signature
    """Answer with the state of backups."""
    return JsonResponse(operations.backup_status(now=now()))


@never_cache
@read_only
@staff_or_ops
def risk_status(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  # Django's signature
    """Answer with limits and stops."""
    return JsonResponse(operations.risk_status(now=now()))
