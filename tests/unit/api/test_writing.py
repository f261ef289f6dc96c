"""How the API writes money and prices, and which answer an error becomes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import OperationalError
from django.http import Http404
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import exceptions
from rest_framework.exceptions import ValidationError

from apps.api import errors as api_errors
from apps.api.fields import MoneyText, PlainDecimal
from apps.core import errors

PLACE = {"request": RequestFactory().get("/api/v1/markets/")}


@pytest.fixture(autouse=True)
def _no_transaction_to_roll_back(monkeypatch):
    monkeypatch.setattr(api_errors, "set_rollback", lambda: None)


def answered(error):
    answer = api_errors.as_problem(error, PLACE)
    assert answer is not None
    return answer


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**12), max_value=10**12))
def test_a_price_is_exact_and_plain(value):
    text = PlainDecimal().to_representation(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert "." not in text or not text.endswith("0")


def test_whole_numbers_are_not_written_in_powers_of_ten():
    assert PlainDecimal().to_representation(Decimal("125000.0000")) == "125000"


@given(st.integers(-(10**15), 10**15))
def test_money_keeps_every_minor_unit(amount_minor):
    text = MoneyText("cost_minor").to_representation({"cost_minor": amount_minor, "currency": "USDC"}) or ""
    assert Decimal(text).scaleb(6) == amount_minor
    assert len(text.partition(".")[2]) == 6


def test_an_absent_amount_is_null():
    assert MoneyText("stake_minor").to_representation({"stake_minor": None, "currency": "USDC"}) is None


class LimitHit(errors.Denied):
    code = "daily-loss"


class NoMarket(errors.NotFound):
    code = "market-not-found"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NoMarket("no market x"), 404, "market-not-found"),
        (errors.Forbidden(), 403, "forbidden"),
        (errors.Conflict(), 409, "conflict"),
        (LimitHit(), 409, "risk-limit-exceeded"),
        (errors.Invalid("bad", field="units"), 400, "invalid"),
        (errors.Transient(), 503, "transient"),
        (errors.OutcomeUnknown(), 503, "outcome-unknown"),
        (errors.Broken("balance of acc_1 is off"), 500, "broken"),
        (OperationalError("connection to server at 10.0.0.5 failed"), 503, "transient"),
        (Http404(), 404, "not-found"),
        (exceptions.NotAuthenticated(), 401, "not-authenticated"),
        (exceptions.PermissionDenied(), 403, "forbidden"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method-not-allowed"),
        (exceptions.UnsupportedMediaType("x/y"), 415, "unsupported-media-type"),
        (exceptions.ParseError(), 400, "invalid"),
        (exceptions.Throttled(wait=2.1), 429, "too-many-requests"),
    ],
)
def test_every_kind_of_error_has_its_status_and_code(error, status, code):
    answer = answered(error)
    assert (answer.status_code, answer.data["status"], answer.data["code"]) == (status, status, code)
    assert answer.content_type == "application/problem+json"
    assert set(answer.data) - {"errors"} == {"type", "title", "status", "code", "detail", "instance", "correlation_id"}
    assert answer.data["instance"] == "/api/v1/markets/"


def test_the_text_of_what_is_broken_never_leaves():
    assert answered(errors.Broken("balance of acc_1 is off")).data["detail"] == "An internal check failed."
    assert "10.0.0.5" not in str(answered(OperationalError("at 10.0.0.5")).data)


def test_an_invalid_field_is_named():
    assert answered(errors.Invalid("too long", field="slug")).data["errors"] == {"slug": ["too long"]}
    by_framework = answered(ValidationError({"limit": ["A whole number."]}))
    assert by_framework.data["errors"] == {"limit": ["A whole number."]}


def test_a_transient_error_says_when_to_come_again():
    assert answered(errors.Transient(retry_after_s=2.2)).headers["Retry-After"] == "3"
    assert answered(errors.Transient()).headers["Retry-After"] == "5"
    assert answered(exceptions.Throttled(wait=2.1)).headers["Retry-After"] == "3"


def test_the_unexpected_is_left_to_the_handler_that_logs_it():
    assert api_errors.as_problem(ZeroDivisionError(), PLACE) is None
