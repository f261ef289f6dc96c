"""Health pages: `/readyz`, `/health` and `/health/detailed` (`/healthz` and `/livez` are answered by the middleware)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from apps.core.clock import now
from apps.monitoring.access import read_only, staff_or_ops
from apps.monitoring.probes import all_probes, readiness_probes
from apps.monitoring.probing import load_tasks, run_all
from apps.monitoring.types import Check

WORD = {True: "healthy", False: "unhealthy"}
# What every answer has, also when the check could not find it out.
UNKNOWN: dict[str, dict[str, Any]] = {
    "database": {"pool_usage": None, "connections": None},
    "recent_predictions": {"last_prediction": None, "age_minutes": None},
    "paper_trading": {"paper_trading_enabled": None},
    "model_loaded": {"exists": False},
    "celery": {"last_heartbeat": None, "queued": None},
    "queue": {"late": None, "oldest_wait_s": None},
    "sources": {"sources": None, "stale": None},
    "backups": {"last_backup": None},
    "schedules": {"schedules": None, "overdue": None},
}


@never_cache
@read_only
def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  # Django's signature
    """Say whether this process can serve: 200, or 503 naming what fails."""
    checks = run_all(readiness_probes())
    failing = sorted(name for name, check in checks.items() if not check.is_healthy)
    return JsonResponse({"status": "not ready" if failing else "ready", "failing": failing}, status=503 if failing else 200)


@never_cache
@read_only
def health(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  # Django's signature
    """Say how the house is, for everybody."""
    return answer(is_detailed=False)


@never_cache
@read_only
@staff_or_ops
def detailed(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  # Django's signature
    """Say how the house is, with figures, for staff."""
    return answer(is_detailed=True)


def answer(*, is_detailed: bool) -> JsonResponse:
    """Run every check and build the page; 503 when any fails."""
    load_tasks()
    moment = now()
    checks = run_all(all_probes(now=moment))
    is_healthy = all(check.is_healthy for check in checks.values())
    body = {
        "timestamp": moment.isoformat(),
        "status": "healthy" if is_healthy else "degraded",
        "version": settings.APP_VERSION,
        "checks": {name: as_json(name, check, is_detailed=is_detailed) for name, check in checks.items()},
    }
    return JsonResponse(body, status=200 if is_healthy else 503)


def as_json(name: str, check: Check, *, is_detailed: bool) -> dict[str, Any]:
    """Write one check; `figures` only on the detailed page. What a failed check could not tell is null, never left out."""
    document = {"status": WORD[check.is_healthy], **UNKNOWN.get(name, {}), **check.shown}
    return {**document, "figures": dict(check.figures)} if is_detailed else document
