"""What a message must look like before a worker takes it; anything else was forged, or is not for us.

Whoever can write to the broker can write anything: a message that makes the worker's own code fail would be given back
to the queue and kill one worker after the other. So the raw bytes are judged before Celery sees them. What a message
says is a hint; what is done is in the rows.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from celery.app.task import Context
from kombu.utils.json import loads

from apps.core.headers import AGAIN, FIRST, JOB
from tasks.shapes import Shape

DropReason = Literal[
    "too-big",
    "too-deep",
    "not-json",
    "content-type",
    "bad-shape",
    "unknown-task",
    "eta",
    "time-limit",
    "canvas",
    "arguments",
    "forged",
]
# A bell is a few hundred bytes; rows and files carry what is big.
SIZE_BYTES_MAX = 1_048_576
DEPTH_MAX = 32
TEXT_LENGTH_MAX = 300
RETRIES_MAX, AGAIN_MAX = 100, 10
# No countdown above seconds: a message that waits in a worker's memory is lost with it.
ETA_AHEAD_MAX = timedelta(minutes=5)
ETA_BEHIND_MAX = timedelta(days=1)
EXPIRES_AWAY_MAX = timedelta(days=366)
JSON_TYPE, TEXT_ENCODING, BODY_ENCODING = "application/json", "utf-8", "base64"
TENANT_ARGUMENTS = frozenset({"tenant", "tenant_id"})
# Headers become attributes of the task's request: those that Celery writes are known, others must not hide its own.
CELERY_HEADERS = frozenset(
    {
        *("lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id"),
        *("parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting", "stamped_headers"),
        *("stamps", "redelivered"),
    }
)
HIDING_HEADERS = (frozenset(dir(Context)) | {"compression", "args", "properties", "delivery_info"}) - CELERY_HEADERS
# What waits for a slot of its source: what such a text says, which part of that it must say, and the headers it may have.
LETTER_NEEDS = frozenset({"task", "id", "kwargs"})
LETTER_SAYS = LETTER_NEEDS | {"queue", "headers", "expires_at_s"}
LETTER_HEADERS = frozenset({JOB, FIRST, AGAIN})
MARKS_OF_TYPES = (b"__type__", rb"\u")
MARKS = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)


class Unfit(ValueError):
    """The message is dropped for this reason."""

    def __init__(self, reason: DropReason) -> None:
        super().__init__(reason)
        self.reason: DropReason = reason


def check_message(raw: bytes, *, shape_of: Callable[[str], Shape | None], now: datetime) -> None:
    """Raise Unfit unless `raw` is a message for a task that we know, with arguments that it takes."""
    message = _envelope(raw)
    headers = message["headers"]
    shape = shape_of(headers["task"]) if isinstance(headers.get("task"), str) else None
    if shape is None:
        raise Unfit("unknown-task")
    _check_headers(headers, shape, now)
    _check_arguments(_body(message), headers, shape)


def check_broadcast(raw: bytes) -> None:
    """Raise Unfit unless `raw` is a readable message to all workers (remote control, events)."""
    _envelope(raw)


def check_unanswered(raw: bytes) -> None:
    """Raise Unfit unless `raw` is a message that a worker took, as kombu keeps it until the answer: with where it came from."""
    # It was written anew: characters beyond ASCII as escapes, six bytes for two, and the list around it.
    _require(len(raw) <= 4 * SIZE_BYTES_MAX, "too-big")
    kept = _parsed(raw, depth_max=DEPTH_MAX + 1)
    _require(isinstance(kept, list) and len(kept) == 3, "bad-shape")
    message, exchange, routing_key = kept
    _require(_is_text(exchange) and _is_text(routing_key), "bad-shape")
    _check_envelope(message)


def check_letter(text: str, *, shape_of: Callable[[str], Shape | None], queues: Collection[str], now: datetime) -> dict[str, Any]:
    """Return what the text of a message says that waits for a slot. Raises Unfit for one that could not be sent, or done."""
    _require(len(text) <= SIZE_BYTES_MAX, "too-big")
    letter = _parsed(text.encode(errors="surrogatepass"))  # bytes that are no text come as halves of characters
    _require(isinstance(letter, dict) and LETTER_NEEDS <= letter.keys() <= LETTER_SAYS, "bad-shape")
    headers, queue = letter.get("headers", {}), letter.get("queue")
    shape = shape_of(letter["task"]) if isinstance(letter["task"], str) else None
    if shape is None:
        raise Unfit("unknown-task")
    _require(isinstance(headers, dict) and headers.keys() <= LETTER_HEADERS, "bad-shape")
    _require(_is_whole(headers.get(AGAIN, 0), 0, AGAIN_MAX) and isinstance(headers.get(FIRST, False), bool), "bad-shape")
    _require(queue is None or (isinstance(queue, str) and queue in queues), "bad-shape")
    _check_headers({**headers, "id": letter["id"]}, shape, now)
    _check_arguments([[], letter["kwargs"], {}], headers, shape)
    expires_at_s = letter.get("expires_at_s")
    latest_s = (now + EXPIRES_AWAY_MAX).timestamp()
    _require(expires_at_s is None or (type(expires_at_s) in (int, float) and 0 <= expires_at_s <= latest_s), "eta")
    return letter  # type: ignore[no-any-return]  # a dict, as was just required


def depth_of(text: bytes, *, limit: int) -> int:
    """Return how deep JSON text nests, or `limit` + 1 as soon as it is deeper than `limit`."""
    if text.count(b"[") + text.count(b"{") <= limit:
        return limit
    depth = deepest = 0
    is_in_text = False
    for found in MARKS.finditer(text):
        mark = found.group()
        if mark == b'"':
            is_in_text = not is_in_text
        elif not is_in_text and len(mark) == 1:
            depth += 1 if mark in b"[{" else -1
            deepest = max(deepest, depth)
            if deepest > limit:
                return deepest
    return deepest


def _require(is_so: bool, reason: DropReason) -> None:
    if not is_so:
        raise Unfit(reason)


def _parsed(text: bytes, *, depth_max: int = DEPTH_MAX) -> Any:
    _require(depth_of(text, limit=depth_max) <= depth_max, "too-deep")
    try:
        # kombu's reader asks Python about every object, for types of its own; the plain one costs half. Escapes may hide them.
        return loads(text) if any(mark in text for mark in MARKS_OF_TYPES) else json.loads(text.decode())
    except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError):
        # Beside wrong JSON: kombu's own types (decimals, dates) are made while reading, of values that may be anything.
        raise Unfit("not-json") from None


def _envelope(raw: bytes) -> dict[str, Any]:
    _require(len(raw) <= SIZE_BYTES_MAX, "too-big")
    message = _parsed(raw)
    _check_envelope(message)
    return message  # type: ignore[no-any-return]  # a dict, as was just required


def _check_envelope(message: Any) -> None:
    _require(isinstance(message, dict), "bad-shape")
    _require(message.get("content-type") == JSON_TYPE, "content-type")
    _require(message.get("content-encoding") == TEXT_ENCODING, "content-type")
    properties, headers = message.get("properties"), message.get("headers")
    _require(isinstance(message.get("body"), str) and isinstance(properties, dict) and isinstance(headers, dict), "bad-shape")
    _require("compression" not in headers, "content-type")
    _check_properties(properties)


def _check_properties(properties: Mapping[str, Any]) -> None:
    delivery: Any = properties.get("delivery_info")
    _require(properties.get("body_encoding") == BODY_ENCODING, "bad-shape")
    _require(_is_text(properties.get("delivery_tag"), length_min=1), "bad-shape")
    _require(isinstance(delivery, dict), "bad-shape")
    _require(all(_is_text(delivery.get(name)) for name in ("exchange", "routing_key")), "bad-shape")
    _require(all(_is_text_or_none(properties.get(name)) for name in ("correlation_id", "reply_to")), "bad-shape")
    _require(_is_whole(properties.get("priority", 0), 0, 255) or properties["priority"] is None, "bad-shape")


def _check_headers(headers: Mapping[str, Any], shape: Shape, now: datetime) -> None:
    _require(not HIDING_HEADERS & headers.keys(), "bad-shape")
    # Both come into statements of the database, which bears no NUL and no half of a character.
    _require(_is_plain(headers.get("id")) and (headers.get("job") is None or _is_plain(headers["job"])), "bad-shape")
    texts = ("root_id", "parent_id", "group", "shadow", "origin", "lang", "argsrepr", "kwargsrepr")
    _require(all(_is_text_or_none(headers.get(name), 10_000) for name in texts), "bad-shape")
    _require(_is_whole(headers.get("retries", 0), 0, RETRIES_MAX), "bad-shape")
    _require(not headers.get("stamped_headers") and not headers.get("stamps"), "bad-shape")
    _require(headers.get("timelimit") in (None, [None, None], list(shape.time_limits)), "time-limit")
    _check_moment(headers.get("eta"), now - ETA_BEHIND_MAX, now + ETA_AHEAD_MAX)
    _check_moment(headers.get("expires"), now - EXPIRES_AWAY_MAX, now + EXPIRES_AWAY_MAX)


def _check_moment(value: Any, earliest: datetime, latest: datetime) -> None:
    if value is None:
        return
    _require(isinstance(value, str), "eta")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Unfit("eta") from None
    _require(moment.tzinfo is not None, "eta")
    _require(earliest <= moment <= latest, "eta")


def _body(message: Mapping[str, Any]) -> Any:
    try:
        text = base64.b64decode(message["body"], validate=True)
    except (binascii.Error, ValueError):
        raise Unfit("not-json") from None
    return _parsed(text)


def _check_arguments(body: Any, headers: Mapping[str, Any], shape: Shape) -> None:
    _require(isinstance(body, list) and len(body) == 3, "bad-shape")
    args, kwargs, embedded = body
    _require(isinstance(embedded, dict), "bad-shape")
    # A callback in a message would let it start any other task; the desk uses none.
    _require(not any(embedded.values()), "canvas")
    _require(isinstance(args, list) and isinstance(kwargs, dict), "arguments")
    if headers.get("job") is not None:
        # What a job is to do stands in its row; a message that says it too wants to be believed.
        _require(not args and not kwargs, "forged")
        return
    _require(not TENANT_ARGUMENTS & kwargs.keys(), "forged")  # a tenant's work is done from a row
    _require(shape.takes(args, kwargs), "arguments")


def _is_text(value: Any, length_max: int = TEXT_LENGTH_MAX, *, length_min: int = 0) -> bool:
    return isinstance(value, str) and length_min <= len(value) <= length_max


def _is_plain(value: Any) -> bool:
    return _is_text(value, length_min=1) and value.isascii() and value.isprintable()


def _is_text_or_none(value: Any, length_max: int = TEXT_LENGTH_MAX) -> bool:
    return value is None or _is_text(value, length_max)


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
