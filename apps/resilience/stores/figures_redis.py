"""The figures of all processes, in one Redis hash a day; a parcel is one atomic script.

Fields of the day's hash: `KIND:WHAT:NAME`, where KIND is `o` (operation) or `c` (counter) and WHAT is a bucket, `n`
(count), `t` (total), `lo`, `hi`, or `e.KIND` (errors). The processes' hash holds `NUMBER STARTED_MS SEEN_MS` for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from redis.exceptions import RedisError

from apps.resilience.errors import StoreUnavailable
from apps.resilience.figures import LONGEST_NS, NAMES_MAX, OTHER, DayFigures, Durations, Figures, Life, Parcel
from apps.resilience.stores import redis_servers

T = TypeVar("T")
KEPT_S = 2 * 86_400
FORGOTTEN_S = 86_400
SOCKET_TIMEOUT_S = 0.5
MILLISECONDS = 1000

# KEYS day, processes; ARGV process, number, "STARTED_MS SEEN_MS", kept_s, names_max, other, then KIND, NAME, WHAT, amount …
ADD = """
local last = redis.call('HGET', KEYS[2], ARGV[1])
if last and tonumber(string.match(last, '^%d+')) >= tonumber(ARGV[2]) then return 0 end
local admitted = {}
local function admit(kind, name)
  local id = kind .. ':' .. name
  if admitted[id] then return admitted[id] end
  local as = name
  if redis.call('HEXISTS', KEYS[1], 'known:' .. id) == 0 then
    if tonumber(redis.call('HGET', KEYS[1], 'names:' .. kind) or '0') >= tonumber(ARGV[5]) then
      as = ARGV[6]
    else
      redis.call('HSET', KEYS[1], 'known:' .. id, 1)
      redis.call('HINCRBY', KEYS[1], 'names:' .. kind, 1)
    end
  end
  admitted[id] = as
  return as
end
for at = 7, #ARGV, 4 do
  local kind, what, amount = ARGV[at], ARGV[at + 2], ARGV[at + 3]
  local field = kind .. ':' .. what .. ':' .. admit(kind, ARGV[at + 1])
  if what == 'lo' or what == 'hi' then
    local kept, offered = tonumber(redis.call('HGET', KEYS[1], field) or ''), tonumber(amount)
    if not kept or (what == 'lo' and offered < kept) or (what == 'hi' and offered > kept) then
      redis.call('HSET', KEYS[1], field, amount)
    end
  else
    redis.call('HINCRBY', KEYS[1], field, amount)
  end
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 1
"""


class RedisFigures:
    """Keeps the figures under `prefix`; a day is forgotten two days later."""

    def __init__(
        self, url: str, *, prefix: str = "kit:", timeout_s: float = SOCKET_TIMEOUT_S, names_max: int = NAMES_MAX
    ) -> None:
        self._prefix = prefix
        self._names_max = names_max
        self._redis = redis_servers.client(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, health_check_interval=15, decode_responses=True
        )
        self._add = self._redis.register_script(ADD)

    def add(self, parcel: Parcel) -> None:
        """Add a parcel, unless it is there already."""
        life = f"{parcel.life.started_s * MILLISECONDS:.0f} {parcel.life.seen_s * MILLISECONDS:.0f}"
        arguments = [parcel.process, parcel.number, life, KEPT_S, self._names_max, OTHER, *_flat(parcel.figures)]
        _answer(lambda: self._add([self._day(parcel.day), self._processes], arguments))

    def read(self, day: str) -> DayFigures:
        """Return all of a day; processes that were not heard of for a day are forgotten on the way."""
        fields, lives = _answer(lambda: self._read_both(day))
        latest_s = max((life.seen_s for life in lives.values()), default=0.0)
        gone = [process for process, life in lives.items() if latest_s - life.seen_s > FORGOTTEN_S]
        if gone:
            _answer(lambda: self._redis.hdel(self._processes, *gone))
        return DayFigures(figures=_as_figures(fields), lives={name: lives[name] for name in lives if name not in gone})

    def close(self) -> None:
        """Let go of connections."""
        self._redis.close()

    @property
    def _processes(self) -> str:
        return f"{self._prefix}{{perf}}:processes"

    def _day(self, day: str) -> str:
        return f"{self._prefix}{{perf}}:{day}"

    def _read_both(self, day: str) -> tuple[dict[str, str], dict[str, Life]]:
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(self._day(day))
            pipeline.hgetall(self._processes)
            fields, processes = pipeline.execute()
        return fields, {process: _life_of(text) for process, text in processes.items()}


def _answer(command: Callable[[], T]) -> T:
    """Return Redis's answer. Raises StoreUnavailable whatever way Redis is away."""
    try:
        return command()
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


def _flat(figures: Figures) -> Iterator[str | int]:
    """Yield KIND, NAME, WHAT, amount of every figure."""
    for name, durations in figures.operations.items():
        for what, amount in _amounts(durations):
            yield from ("o", name, what, amount)
    for name, count in figures.counters.items():
        yield from ("c", name, "n", count)


def _amounts(durations: Durations) -> Iterator[tuple[str, int]]:
    yield from (("n", durations.count), ("t", durations.total_ns), ("lo", durations.low_ns), ("hi", durations.high_ns))
    yield from ((str(bucket), count) for bucket, count in durations.buckets.items())
    yield from ((f"e.{kind}", count) for kind, count in durations.errors.items())


def _as_figures(fields: Mapping[str, Any]) -> Figures:
    figures = Figures()
    for field, amount in fields.items():
        kind, what, name = field.split(":", 2) if field[:2] in ("o:", "c:") else ("", "", "")
        if kind == "c":
            figures.counters[name] = int(amount)
        elif kind == "o":
            _put(figures.operations.setdefault(name, Durations()), what, int(amount))
    return figures


def _put(durations: Durations, what: str, amount: int) -> None:
    if what == "n":
        durations.count = amount
    elif what == "t":
        durations.total_ns = amount
    elif what == "lo":
        durations.low_ns = min(amount, LONGEST_NS)
    elif what == "hi":
        durations.high_ns = amount
    elif what.startswith("e."):
        durations.errors[what[2:]] = amount
    else:
        durations.buckets[int(what)] = amount


def _life_of(text: str) -> Life:
    _, started_ms, seen_ms = text.split(" ")
    return Life(started_s=int(started_ms) / MILLISECONDS, seen_s=int(seen_ms) / MILLISECONDS)
