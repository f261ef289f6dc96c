"""What the workers of the paced tests do: call a source, whose vendor is a list in Redis that notes when each call came."""

from __future__ import annotations

import functools
import time
from typing import Any

import redis
from celery import current_task, shared_task
from django.conf import settings

from apps.resilience import Limiter, Pace, RedisStore, slot_of_header
from apps.resilience.bridge import bridge
from tasks.base import DeskTask

QUEUE = "upkeep"
NOTE = """
local clock = redis.call('TIME')
return redis.call('RPUSH', KEYS[1], ARGV[1] .. ' ' .. string.format('%.0f', clock[1] * 1000000 + clock[2]) .. ' ' .. ARGV[2])
"""


@functools.cache
def server() -> redis.Redis:
    return redis.Redis.from_url(settings.KIT_REDIS_URL, decode_responses=True)


@functools.cache
def limiter_of(source: str, per_minute: int) -> Limiter:
    return Limiter(source, Pace.per_minute(per_minute), store=RedisStore(settings.KIT_REDIS_URL))


def note(key: str, words: str, at_us: int = 0) -> None:
    """Write down the words, the server's present in microseconds, and `at_us`."""
    server().eval(NOTE, 1, key, words, at_us)


@shared_task(base=DeskTask, name="paced.call")
def call(*, source: str, number: int, per_minute: int, work_s: float = 0.0, **_: Any) -> None:
    slot = slot_of_header(current_task.request.get("slot"))
    bridge().run(limiter_of(source, per_minute).acquire())
    note(f"calls:{source}", str(number), 0 if slot is None else slot.at_us)
    time.sleep(work_s)


@shared_task(base=DeskTask, name="paced.money")
def money(*, number: int, sent_us: int, **_: Any) -> None:
    note("calls:money", str(number), sent_us)


@shared_task(base=DeskTask, name="paced.nothing")
def nothing(**_: Any) -> None:
    return
