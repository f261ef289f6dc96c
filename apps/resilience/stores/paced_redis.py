"""The paced queue of all processes: Lua scripts on Redis or Valkey, one round trip a verb, on the server's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import DataError, NoScriptError, RedisError
from redis.retry import Retry

from apps.resilience.errors import StoreUnavailable
from apps.resilience.limiter import Pace
from apps.resilience.paced import Ahead, Due, Offer, PacedItem, PacedLine, Peeking, Popped, Popping
from apps.resilience.paced_slot import PaidSlot
from apps.resilience.stores import paced_scripts, redis_servers
from apps.resilience.stores.connections import SOCKET_TIMEOUT_S, Script
from apps.resilience.stores.redis import TTL_MS
from apps.resilience.windows import MICROSECONDS

OFFER, POP, LANDED = Script(paced_scripts.OFFER), Script(paced_scripts.POP), Script(paced_scripts.LANDED)
PEEK, PASS_ON, WEIGH = Script(paced_scripts.PEEK), Script(paced_scripts.PASS_ON), Script(paced_scripts.WEIGH)
DUE, WAITING = Script(paced_scripts.DUE), Script(paced_scripts.WAITING)
KEPT = ("items", "seats", "turns", "rested", "flying", "book")
GOES, WAITS = 1, 0


class RedisPaced:
    """Keeps what waits beside the pace of a `RedisStore` of the same address and prefix."""

    def __init__(self, url: str, *, prefix: str = "kit:", timeout_s: float = SOCKET_TIMEOUT_S) -> None:
        self._prefix = prefix
        self._client: Redis = redis_servers.client(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            socket_keepalive=True,
            decode_responses=True,
            encoding_errors="surrogateescape",  # bytes that are no text were forged; their reader says what to make of them
            retry=Retry(NoBackoff(), 1),  # the second try is for a connection that went stale in the pool
        )

    def offer(self, source: str, items: Sequence[PacedItem], pace: Pace) -> list[Offer]:
        """Take slots that are free for the first of the items, if nobody waits, and let the others wait."""
        words: list[Any] = [TTL_MS, pace.interval_us, pace.tolerance_us, pace.window_us, len(items)]
        for item in items:
            words += [item.id, item.priority, item.weight, item.tenant, item.body]
        now_us, interval_us, slowdowns, wait_us, waiting, *fates = self._run(OFFER, source, words)
        slot = PaidSlot(source=source, at_us=now_us, interval_us=interval_us, slowdowns=slowdowns)
        ahead, offers = waiting - fates.count(WAITS), []
        for fate in fates:
            offers.append(Offer(slot) if fate == GOES else Offer(None, (wait_us + ahead * interval_us) / MICROSECONDS))
            ahead += fate == WAITS
        return offers

    def pop(self, source: str, limit: int, lease_s: float) -> Popping:
        """Put back what was lost in flight; take the slots that are free now and send as many items on their way."""
        answer = self._run(POP, source, [TTL_MS, limit, int(lease_s * MICROSECONDS)])
        now_us, interval_us, slowdowns, next_us, reclaimed, *words = answer
        slot = PaidSlot(source=source, at_us=now_us, interval_us=interval_us, slowdowns=slowdowns)
        rows = zip(words[::3], words[1::3], words[2::3], strict=True)
        popped = tuple(Popped(item_id, tenant, body or "", slot) for item_id, tenant, body in rows)
        return Popping(popped, None if next_us < 0 else next_us / MICROSECONDS, reclaimed)

    def landed(self, source: str, ids: Sequence[str]) -> int:
        """Forget items that are still in flight, and return how many were."""
        return int(self._run(LANDED, source, [_as_kept(item_id) for item_id in ids]))

    def weigh(self, source: str, weights: Mapping[str, int]) -> int:
        """Give those of these tenants that wait another weight, and return how many had a different one."""
        return int(self._run(WEIGH, source, [word for pair in weights.items() for word in pair]))

    def peek(self, source: str, limit: int) -> Peeking:
        """Put back what was lost in flight, and return what comes next; nothing of it takes a slot or leaves its line."""
        reclaimed, *words = self._run(PEEK, source, [limit])
        ahead = (Ahead(item_id, body or "") for item_id, body in zip(words[::2], words[1::2], strict=True))
        return Peeking(tuple(ahead), reclaimed)

    def pass_on(self, source: str, heirs: Mapping[str, Ahead | None]) -> frozenset[str]:
        """Forget items that wait and return which of these did; where one has an heir, that takes its place."""
        rows = [(item_id, heir.id, heir.body) if heir else (item_id, "", "") for item_id, heir in heirs.items()]
        return frozenset(self._run(PASS_ON, source, [_as_kept(word) for row in rows for word in row]))

    def due(self) -> Due:
        """Return which sources are to be looked at."""
        wait_us, *sources = self._evaluate(DUE, [self._due], [])
        return Due(tuple(sources), None if wait_us < 0 else wait_us / MICROSECONDS)

    def waiting(self) -> list[PacedLine]:
        """Return how many items wait, by source and tenant: one round trip for the sources, and one for each."""
        lines = []
        for source in self._asked(lambda: self._client.zrange(self._due, 0, -1)):
            words = self._run(WAITING, source, [])
            lines += [PacedLine(source, tenant, count) for tenant, count in zip(words[::2], words[1::2], strict=True)]
        return sorted(lines, key=lambda line: (line.source, line.tenant))

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _run(self, script: Script, source: str, words: list[Any]) -> Any:
        tag = f"{self._prefix}{{{source}}}"
        keys = [f"{tag}:pace", f"{tag}:breaker", *(f"{tag}:paced:{name}" for name in KEPT), self._due]
        return self._evaluate(script, keys, [source, f"{tag}:paced:line:", *words])

    def _evaluate(self, script: Script, keys: list[str], words: list[Any]) -> Any:
        def once() -> Any:
            try:
                return self._client.evalsha(script.fingerprint, len(keys), *keys, *words)
            except NoScriptError:
                return self._client.eval(script.text, len(keys), *keys, *words)

        return self._asked(once)

    def _asked(self, question: Any) -> Any:
        try:
            return question()
        except DataError:
            raise  # what we sent was wrong: the server is not to blame
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error

    @property
    def _due(self) -> str:
        return f"{self._prefix}paced:due"


def _as_kept(text: str) -> bytes:
    """Return the bytes of what was read before, also of those that are no text; the library's own packer would refuse them."""
    return text.encode(errors="surrogateescape")
