"""Problem documents: the right status, the right shape, and never a trace."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from apps.markets import selectors as markets

FIELDS = {"type", "title", "status", "code", "detail", "instance", "correlation_id"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/api/v1/nothing/", 404),
        ("get", "/api/elsewhere", 404),
        ("get", "/api/v1/markets/mkt_none/", 404),
        ("get", "/api/v1/markets/..%2F..%2Fetc/", 404),
        ("post", "/api/v1/markets/", 405),
        ("delete", "/api/v1/orders/", 405),
    ],
)
def test_refusals_are_problems(db, ops, method, path, status):
    answer = getattr(ops, method)(path)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(problem) == FIELDS
    assert problem["correlation_id"] == answer.headers["X-Correlation-ID"] != ""


@pytest.mark.parametrize("path", ["/nothing", "/static/nothing.css", "/desk/markets/mkt_none/", "/demo/api/nothing"])
def test_a_browser_is_shown_a_page_and_a_program_a_problem(db, staff, path):
    page = staff.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    for accept in ("*/*", "application/json"):
        answer = staff.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
        assert (set(answer.json()), answer.json()["instance"]) == (FIELDS, path)


def test_without_a_token_the_scheme_is_named(db, nobody):
    answer = nobody.get("/api/v1/markets/")
    assert (answer.status_code, answer.json()["code"], answer.headers["WWW-Authenticate"]) == (401, "not-authenticated", "Bearer")


def test_a_wrong_token_is_refused_even_with_a_session(db, staff):
    assert staff.get("/api/v1/markets/", headers={"Authorization": "Bearer wrong"}).status_code == 401


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ZeroDivisionError("secret of the house"), 500, "internal-error"),
        (OperationalError("connection to server at 10.0.0.5 failed"), 503, "transient"),
    ],
)
def test_the_unforeseen_says_nothing_of_itself(db, ops, monkeypatch, error, status, code):
    def fail():
        raise error

    monkeypatch.setattr(markets, "markets_table", fail)
    answer = ops.get("/api/v1/markets/")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == FIELDS
    for leak in (b"Traceback", b"secret", b"10.0.0.5", b"views.py", b"ZeroDivision"):
        assert leak not in answer.content
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_too_large_a_body_is_a_413(db, ops):
    answer = ops.post("/api/v1/markets/", b"x" * 1_048_577, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert set(answer.json()) == FIELDS


def test_a_forged_host_under_the_api_is_a_problem(db, ops):
    answer = ops.get("/api/v1/markets/", HTTP_HOST="evil.example")
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
