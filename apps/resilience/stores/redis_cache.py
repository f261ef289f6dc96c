"""A cache that all processes share: one hash per key on Redis or Valkey, fenced writes by Lua, one round trip a verb
and `KEYS_A_TRIP` keys.

Keys are cleared by SCAN and UNLINK in batches. An index of keys would make that faster and every write slower, and would
drift from the keys that end by themselves; clearing is rare and done by a person. SCAN never holds the server for long.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from redis.exceptions import ResponseError

from apps.resilience.cache_ports import NOTHING, Claim, Entry, EntryDamaged, Failure, Found, Kept, Record
from apps.resilience.errors import StoreUnavailable
from apps.resilience.leases import MICROSECONDS, Held, Lease
from apps.resilience.stores import cache_scripts
from apps.resilience.stores.cache_entries import decode, decode_failure, encode, encode_failure
from apps.resilience.stores.cache_scripts import KEYS_A_TRIP
from apps.resilience.stores.redis_leases import TTL_MS, RedisLeases, answered
from apps.resilience.stores.redis_link import SOCKET_TIMEOUT_S, Link, batched

T = TypeVar("T")
SCAN_BATCH = 1_000
IN_THREAD_FROM_BYTES = 65_536  # packing more than this takes about a millisecond, which the event loop must not lose
BYTES_A_TRIP = 4_194_304
FIELDS = ["head", "body", "failure", "fence"]


class RedisCache:
    """Values under `prefix`; the server forgets each after its `kept_s`."""

    def __init__(self, url: str, *, prefix: str = "kit:cache:", timeout_s: float = SOCKET_TIMEOUT_S) -> None:
        self._prefix = prefix
        self._link = Link(url, timeout_s=timeout_s)
        self._redis = self._link.client
        self._leases = RedisLeases(self._link, prefix=prefix)
        self._write = self._redis.register_script(cache_scripts.WRITE)
        self._claim = self._redis.register_script(cache_scripts.CLAIM)
        self._read = self._redis.register_script(cache_scripts.READ)

    @property
    def leases(self) -> RedisLeases:
        """The leases whose numbers fence the writes."""
        return self._leases

    async def read(self, key: str) -> Kept:
        """Return what is kept, empty when nothing is. Raises EntryDamaged when it cannot be understood."""
        try:
            return await _kept(await self._link.answer(self._redis.hmget(self.name_of(key), FIELDS)))
        except StoreUnavailable as error:
            if isinstance(error.__cause__, ResponseError):
                return await _kept(error.__cause__)
            raise

    async def read_many(self, keys: Sequence[str]) -> list[Found]:
        """Return what is kept under each key."""
        found: list[Found] = []
        for some in batched(keys, KEYS_A_TRIP):
            answers = await self._link.answer(self._read([self.name_of(key) for key in some]))
            found += [await _found(fields) for fields in answers]
        return found

    async def claim_many(self, known: Sequence[tuple[str, int]], *, owner: str, lease_s: float) -> list[Claim | Held]:
        """Take the lease of each key that nobody has, and look whether its newest outcome has another fence than is known."""
        told: list[Claim | Held] = []
        for some in batched(known, KEYS_A_TRIP):
            names = [name for key, _ in some for name in self._guarded(key)]
            arguments: list[str | int] = [owner, int(lease_s * MICROSECONDS), TTL_MS, *[fence for _, fence in some]]
            for (key, _), answer in zip(some, await self._link.answer(self._claim(names, arguments)), strict=True):
                lease = answered(answer, key, owner=owner, lease_s=lease_s)
                if isinstance(lease, Lease):
                    told.append(Claim(lease, await _found(answer[3]) if len(answer) > 3 else None))
                else:
                    told.append(lease)
        return told

    async def write(self, key: str, entry: Entry) -> bool:
        """Keep the value and forget the failure."""
        return (await self.write_many([(key, entry)]))[0]

    async def write_failure(self, key: str, failure: Failure) -> bool:
        """Remember the failure beside the value, as long as the value is kept; alone, as long as it says."""
        return (await self.write_many([(key, failure)]))[0]

    async def write_many(self, records: Sequence[tuple[str, Record]], *, give_back: bool = False) -> list[bool]:
        """Keep the values and remember the failures, each by its own fence; `give_back` ends the leases of these fences too."""
        told: list[bool] = []
        names: list[str] = []
        arguments: list[int | bytes] = [int(give_back)]
        size_bytes = 0
        for place, (key, record) in enumerate(records, 1):
            fields = await _fields(record)
            names += self._guarded(key)
            arguments += (record.fence, _ms(record.kept_s), *fields)
            size_bytes += len(fields[1])
            if len(names) == 2 * KEYS_A_TRIP or size_bytes >= BYTES_A_TRIP or place == len(records):
                told += [bool(answer) for answer in await self._link.answer(self._write(names, arguments))]
                names, arguments, size_bytes = [], [int(give_back)], 0
        return told

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

    def _guarded(self, key: str) -> tuple[str, str]:
        return self.name_of(key), self._leases.name_of(key)

    def _pattern_of(self, pattern: str) -> str:
        """Return the pattern in the server's language, where brackets and backslashes have a meaning too."""
        prefix, wanted = re.sub(r"([*?\[\]\\])", r"\\\1", self._prefix), re.sub(r"([\[\]\\])", r"\\\1", pattern)
        return f"{prefix}{{{wanted}}}:value"


async def _kept(fields: Any) -> Kept:
    """Return what the fields of a hash say. Raises EntryDamaged, also for a key that is no hash."""
    if isinstance(fields, ResponseError):
        if "WRONGTYPE" in str(fields):
            raise EntryDamaged("a value of another type") from fields
        raise StoreUnavailable(f"{type(fields).__name__}: {fields}") from fields
    head, body, failure, fence = fields
    if head is None and failure is None:
        return NOTHING
    entry = None
    if head is not None:
        number = _number(fence)
        entry = await _beside(len(body or b""), lambda: decode(head, body, fence=number))
    return Kept(entry=entry, failure=None if failure is None else decode_failure(failure))


async def _found(fields: Any) -> Found:
    try:
        return await _kept(fields)
    except EntryDamaged as damage:
        return damage


async def _fields(record: Record) -> tuple[bytes, bytes, bytes]:
    """Return head, body and failure as they are written: the failure is empty for a value, the others for a failure."""
    if isinstance(record, Failure):
        return b"", b"", encode_failure(record)
    head, body = await _beside(len(record.value), lambda: encode(record))
    return head, body, b""


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
