"""A cache that all processes share: one hash per key on Redis or Valkey, fenced writes by Lua, one round trip a verb.

Keys are cleared by SCAN and UNLINK in batches. An index of keys would make that faster and every write slower, and would
drift from the keys that end by themselves; clearing is rare and done by a person. SCAN never holds the server for long.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from redis.exceptions import ResponseError

from apps.resilience.cache_ports import Entry, EntryDamaged, Failure, Kept
from apps.resilience.errors import StoreUnavailable
from apps.resilience.stores import cache_scripts
from apps.resilience.stores.cache_entries import decode, decode_failure, encode, encode_failure
from apps.resilience.stores.redis_leases import RedisLeases
from apps.resilience.stores.redis_link import SOCKET_TIMEOUT_S, Link

T = TypeVar("T")
SCAN_BATCH = 1_000
IN_THREAD_FROM_BYTES = 65_536  # packing more than this takes about a millisecond, which the event loop must not lose
FIELDS = ["head", "body", "failure", "fence"]


class RedisCache:
    """Values under `prefix`; the server forgets each after its `kept_s`."""

    def __init__(self, url: str, *, prefix: str = "kit:cache:", timeout_s: float = SOCKET_TIMEOUT_S) -> None:
        self._prefix = prefix
        self._link = Link(url, timeout_s=timeout_s)
        self._redis = self._link.client
        self._leases = RedisLeases(self._link, prefix=prefix)
        self._write = self._redis.register_script(cache_scripts.WRITE)
        self._write_failure = self._redis.register_script(cache_scripts.WRITE_FAILURE)

    @property
    def leases(self) -> RedisLeases:
        """The leases whose numbers fence the writes."""
        return self._leases

    async def read(self, key: str) -> Kept:
        """Return what is kept, empty when nothing is. Raises EntryDamaged when it cannot be understood."""
        try:
            head, body, failure, fence = await self._link.answer(self._redis.hmget(self.name_of(key), FIELDS))
        except StoreUnavailable as error:
            if isinstance(error.__cause__, ResponseError) and "WRONGTYPE" in str(error.__cause__):
                raise EntryDamaged("a value of another type") from error
            raise
        if head is None and failure is None:
            return Kept()
        entry = None if head is None else await _beside(len(body or b""), lambda: decode(head, body, fence=_number(fence)))
        return Kept(entry=entry, failure=None if failure is None else decode_failure(failure))

    async def write(self, key: str, entry: Entry) -> bool:
        """Keep the value and forget the failure."""
        head, body = await _beside(len(entry.value), lambda: encode(entry))
        return bool(await self._link.answer(self._write(self._guarded(key), [entry.fence, head, body, _ms(entry.kept_s)])))

    async def write_failure(self, key: str, failure: Failure) -> bool:
        """Remember the failure beside the value, as long as the value is kept; alone, as long as it says."""
        arguments: list[int | bytes] = [failure.fence, encode_failure(failure), _ms(failure.kept_s)]
        return bool(await self._link.answer(self._write_failure(self._guarded(key), arguments)))

    async def forget(self, key: str) -> None:
        """Drop the value and the failure of the key."""
        await self._link.answer(self._redis.unlink(self.name_of(key)))

    async def clear(self, pattern: str) -> int:
        """Drop all keys that match and return how many."""
        wanted, cursor, count = self._pattern_of(pattern), 0, 0
        while True:
            cursor, names = await self._link.answer(self._redis.scan(cursor, match=wanted, count=SCAN_BATCH))
            if names:
                count += int(await self._link.answer(self._redis.unlink(*names)))
            if int(cursor) == 0:
                return count

    async def add_counts(self, counts: Mapping[str, int]) -> None:
        """Add to the counters that all processes share."""
        pipe = self._redis.pipeline(transaction=False)
        for place, count in counts.items():
            pipe.hincrby(f"{self._prefix}counts", place, count)
        await self._link.answer(pipe.execute())

    async def read_counts(self) -> dict[str, int]:
        """Return the counters that all processes share."""
        counts = cast("Mapping[bytes, bytes]", await self._link.answer(self._redis.hgetall(f"{self._prefix}counts")))
        return {place.decode(errors="replace"): _number(count) for place, count in counts.items()}

    async def close(self) -> None:
        """Let go of connections."""
        await self._link.close()

    def name_of(self, key: str) -> str:
        """Return the server's name of the key. Value and lease carry the same hash tag: one node of a cluster has both."""
        return f"{self._prefix}{{{key}}}:value"

    def _guarded(self, key: str) -> list[str]:
        return [self.name_of(key), self._leases.name_of(key)]

    def _pattern_of(self, pattern: str) -> str:
        """Return the pattern in the server's language, where brackets and backslashes have a meaning too."""
        prefix, wanted = re.sub(r"([*?\[\]\\])", r"\\\1", self._prefix), re.sub(r"([\[\]\\])", r"\\\1", pattern)
        return f"{prefix}{{{wanted}}}:value"


async def _beside(size_bytes: int, work: Callable[[], T]) -> T:
    """Do the work here when it is small, else in a thread."""
    return work() if size_bytes < IN_THREAD_FROM_BYTES else await asyncio.to_thread(work)


def _number(text: Any) -> int:
    try:
        return int(text or 0)
    except ValueError as error:
        raise EntryDamaged(f"a number that is none: {text!r}") from error


def _ms(duration_s: float) -> int:
    return max(1, math.ceil(duration_s * 1_000))
