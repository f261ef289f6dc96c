"""Counting requests: how many, how they ended, how long they took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

REQUESTS = Counter("http_requests", "Requests answered.", ["method", "route", "status"])
DURATION = Histogram("http_request_duration_seconds", "Time to answer a request.", ["method", "route"])

# Anybody can send any word as a method; labels must stay few.
ANSWERED_AT_THE_DOOR = {"/healthz": "healthz", "/livez": "livez"}
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(request: HttpRequest, response: HttpResponse, duration_s: float) -> None:
    """Count one answered request under its route, never under its path: paths hold ids."""
    method = request.method if request.method in METHODS else "other"
    route = request.resolver_match.route if request.resolver_match else ANSWERED_AT_THE_DOOR.get(request.path_info, "unmatched")
    REQUESTS.labels(method=method, route=route, status=str(response.status_code)).inc()
    DURATION.labels(method=method, route=route).observe(duration_s)
