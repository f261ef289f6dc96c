"""Failures are told apart, told of, and answered with the fall-back."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import ssl
from decimal import Decimal
from typing import Any

import pytest

from apps.resilience import BadBody, BreakerOpen, ConnectionFailed, HttpStatus, PaceExceeded, StoreUnavailable, TimedOut
from apps.resilience.safely import MASK, Kind, classify, masked, message_of, safe_execute, safe_execute_async

NOTHING: dict[str, int] = {}


class ReadTimeout(Exception):
    """As an HTTP library names it."""


class OperationalError(Exception):
    """As a database library names it; it says nothing by itself."""


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def raised_by(f) -> Exception:
    try:
        f()
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), Kind.TIMEOUT),
        (OSError(errno.ETIMEDOUT, "timed out"), Kind.TIMEOUT),
        (TimedOut(), Kind.TIMEOUT),
        (PaceExceeded(), Kind.TIMEOUT),
        (ReadTimeout(), Kind.TIMEOUT),
        (ConnectionResetError(), Kind.CONNECTION),
        (BrokenPipeError(), Kind.CONNECTION),
        (OSError(errno.EHOSTUNREACH, "no route"), Kind.CONNECTION),
        (ssl.SSLCertVerificationError("expired"), Kind.CONNECTION),
        (ConnectionFailed(), Kind.CONNECTION),
        (BreakerOpen(), Kind.CONNECTION),
        (StoreUnavailable(), Kind.CONNECTION),
        (HttpStatus(503), Kind.CONNECTION),
        (HttpStatus(404), Kind.UNEXPECTED),
        (MemoryError(), Kind.MEMORY),
        (OSError(errno.ENOSPC, "full"), Kind.DISK_FULL),
        (OSError(errno.EDQUOT, "quota"), Kind.DISK_FULL),
        (FileNotFoundError(errno.ENOENT, "gone"), Kind.UNEXPECTED),
        (raised_by(lambda: json.loads("{")), Kind.INVALID_DATA),
        (raised_by(b"\xff".decode), Kind.INVALID_DATA),
        (raised_by(lambda: Decimal("x")), Kind.INVALID_DATA),
        (BadBody(), Kind.INVALID_DATA),
        (KeyError("price"), Kind.MISSING_KEY),
        (IndexError(), Kind.MISSING_KEY),
        (TypeError(), Kind.UNEXPECTED),
        (RuntimeError(), Kind.UNEXPECTED),
        (caused(OperationalError(), ConnectionRefusedError()), Kind.CONNECTION),
        (caused(ValueError("cannot be saved"), OSError(errno.ENOSPC, "full")), Kind.DISK_FULL),
        (caused(ValueError("not a number"), KeyError("price")), Kind.INVALID_DATA),
        (caused(OperationalError(), caused(OperationalError(), MemoryError())), Kind.MEMORY),
        (ExceptionGroup("two", [RuntimeError(), KeyError("a")]), Kind.MISSING_KEY),
    ],
    ids=lambda value: value if isinstance(value, Kind) else type(value).__name__,
)
def test_every_failure_is_told_apart(error, kind):
    assert classify(error) is kind


def test_an_error_raised_while_handling_another_is_told_by_it_unless_that_is_hidden():
    def raise_while_handling(hidden: bool):
        try:
            raise TimeoutError
        except TimeoutError:
            if hidden:
                raise OperationalError from None
            raise OperationalError  # noqa: B904

    assert classify(raised_by(lambda: raise_while_handling(False))) is Kind.TIMEOUT
    assert classify(raised_by(lambda: raise_while_handling(True))) is Kind.UNEXPECTED


def test_a_chain_of_causes_that_bites_its_tail_ends():
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify(first) is Kind.UNEXPECTED


def test_the_fallback_is_a_value_or_is_made():
    told: list[Any] = []
    assert safe_execute(lambda: 7, fallback=0, log=told.append) == 7
    assert told == []
    assert safe_execute(int, "x", fallback=0, log=told.append) == 0
    assert safe_execute(int, "x", fallback=lambda: 5, log=told.append) == 5
    assert safe_execute(int, "x", log=told.append) is None
    assert safe_execute(int, "ff", base=16, log=told.append) == 255
    assert [failure.kind for failure in told] == ["invalid_data"] * 3


def test_what_is_told_names_the_work_and_hides_secrets():
    told: list[Any] = []
    context = {
        "url": "/books",
        "api_key": "s3cret",
        "headers": {"Authorization": "Bearer s3cret"},
        "parts": [{"token": "s3cret"}],
    }

    def fetch():
        raise ConnectionResetError("https://u:s3cret@host/x?apikey=s3cret&page=2 failed, X-Token: s3cret")

    safe_execute(fetch, operation="fetch books", context=context, log=told.append)
    (failure,) = told
    assert (failure.operation, failure.kind, failure.error) == ("fetch books", "connection", "ConnectionResetError")
    assert "s3cret" not in repr(failure)
    assert failure.where == f"{__file__}:{fetch.__code__.co_firstlineno + 1}"
    assert "page=2" in failure.message
    assert failure.context["url"] == "/books"
    assert failure.context["api_key"] == failure.context["headers"]["Authorization"] == MASK
    assert context["api_key"] == "s3cret", "the caller's own context is left alone"


def test_without_a_teller_it_is_in_the_log(caplog):
    with caplog.at_level(logging.WARNING):
        safe_execute(int, "x", operation="read", context={"row": 3})
        safe_execute(list.sort, None, operation="sort")
    assert [(record.levelname, record.getMessage().split(":")[0]) for record in caplog.records] == [
        ("WARNING", "read failed (invalid_data)"),
        ("ERROR", "sort failed (unexpected)"),
    ]
    assert "{'row': 3}" in caplog.records[0].getMessage()


def test_a_fallback_that_fails_and_a_teller_that_fails_crash_nobody(caplog):
    told: list[Any] = []
    assert safe_execute(int, "x", fallback=lambda: NOTHING["a"], operation="read", log=told.append) is None
    assert [(failure.operation, failure.kind) for failure in told] == [
        ("read", "invalid_data"),
        ("the fall-back of read", "missing_key"),
    ]

    def broken(failure):
        raise RuntimeError

    assert safe_execute(int, "x", fallback=1, log=broken) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]


def test_an_error_whose_message_cannot_be_made_is_told_all_the_same():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    assert message_of(Mute()) == "(its message failed with RuntimeError)"
    assert len(message_of(ValueError("x" * 10_000))) == 500


def test_names_that_are_not_texts_can_be_masked():
    odd: dict[Any, object] = {1: "a", "k": ("b",)}
    assert masked(odd) == {1: "a", "k": ["b"]}


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_ends_a_program_or_a_task_passes_through(end):
    told: list[Any] = []

    def stop():
        raise end

    async def stop_async():
        raise end

    with pytest.raises(end):
        safe_execute(stop, fallback=1, log=told.append)
    stopping = safe_execute_async(stop_async, fallback=1, log=told.append)
    with pytest.raises(end):
        stopping.send(None)
    assert told == []


def test_the_async_form_does_the_same():
    told: list[Any] = []

    async def fetch(name: str) -> str:
        if name == "bad":
            raise OSError(errno.ENOSPC, "full")
        return name

    async def scene():
        assert await safe_execute_async(fetch, "good", fallback="", log=told.append) == "good"
        assert await safe_execute_async(fetch, "bad", fallback="kept", log=told.append) == "kept"

    asyncio.run(scene())
    assert [failure.kind for failure in told] == ["disk_full"]
    assert told[0].operation.endswith("fetch")
