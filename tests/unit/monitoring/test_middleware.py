"""The first door: static health, ids on every answer, a limit on every body."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
import structlog
from django.http import HttpResponse
from django.test import RequestFactory

from apps.monitoring import middleware
from apps.monitoring.middleware import answer_without_services


@pytest.fixture(autouse=True)
def _no_ids_left_behind():
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


def inner(request):
    return HttpResponse("inner")


def refuse(request):
    raise AssertionError("the request went on")


@pytest.mark.parametrize(("path", "body"), [("/healthz", {"status": "ok"}), ("/livez", {"status": "alive"})])
def test_health_is_answered_without_anything_behind_it(path, body):
    answer = answer_without_services(refuse)(RequestFactory().get(path))
    assert (answer.status_code, json.loads(answer.content)) == (200, body)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-ID"] == answer.headers["X-Correlation-ID"] != ""


def test_the_callers_correlation_id_comes_back_when_it_is_safe():
    answer = answer_without_services(inner)(RequestFactory().get("/", headers={"X-Correlation-ID": "abc-1.2:3_4"}))
    assert answer.headers["X-Correlation-ID"] == "abc-1.2:3_4"
    assert answer.headers["X-Request-ID"] != "abc-1.2:3_4"


@pytest.mark.parametrize("forged", ["a b", "x" * 65, "<script>", '{"level":"error"}'])
def test_an_unsafe_correlation_id_is_replaced(forged):
    answer = answer_without_services(inner)(RequestFactory().get("/", headers={"X-Correlation-ID": forged}))
    assert answer.headers["X-Correlation-ID"] == answer.headers["X-Request-ID"]


def test_the_request_id_that_is_bound_already_is_used():
    structlog.contextvars.bind_contextvars(request_id="req-7")
    answer = answer_without_services(inner)(RequestFactory().get("/"))
    assert answer.headers["X-Request-ID"] == "req-7"


def test_a_body_over_the_limit_is_refused_before_anything_reads_it(settings):
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    answer = answer_without_services(refuse)(RequestFactory().post("/api/v1/orders/", b"x" * (limit + 1), "application/json"))
    problem = json.loads(answer.content)
    assert (answer.status_code, problem["status"], problem["code"]) == (413, 413, "body-too-large")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("over", "left"), [(1, 0), (middleware.DRAINED_BYTES_MAX, 1_048_576 + middleware.DRAINED_BYTES_MAX)])
def test_a_refused_body_is_read_away_unless_it_is_huge_so_that_the_connection_can_go_on(settings, over, left):
    body = BytesIO(b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + over))
    request = RequestFactory().post("/", content_type="application/json", CONTENT_LENGTH=str(len(body.getvalue())))
    request.META["wsgi.input"] = body
    assert answer_without_services(refuse)(request).status_code == 413
    assert len(body.read()) == left


def test_a_body_at_the_limit_goes_on(settings):
    request = RequestFactory().post("/", b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE, "application/json")
    assert answer_without_services(inner)(request).content == b"inner"
