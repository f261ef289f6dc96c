"""The CLOB's price history: the mid of a token, one point per `fidelity` minutes.

The window is wire time. `fidelity` counts *recorded* minutes, the world's own pace (a market lives half an hour), and
points that would fall into the same wire second are one, because the vendor's `t` is whole seconds.
"""

from __future__ import annotations

from math import inf

import numpy as np
from multidict import MultiMapping

from apps.sources.world.answers import Refusal, as_whole
from apps.sources.world.recording import Track
from apps.sources.world.world import World

INTERVALS_S = {"1h": 3_600, "6h": 21_600, "1d": 86_400, "1w": 604_800, "1m": 2_592_000, "max": inf, "all": inf}
FIDELITY_MAX = 1_000_000
WINDOW_MAX_S = 15 * 86_400
MINUTE_MS = 60_000


def history(world: World, query: MultiMapping[str]) -> list[dict[str, float]]:
    """Return `{"t", "p"}` points, oldest first. Raises Refusal with the CLOB's 400 body."""
    token = query.get("market")
    if not token:
        raise refused("invalid filters: 'market' is mandatory")
    now_s = world.now_s()
    first_s, last_s = _window(query, now_s)
    fidelity = as_whole(query.get("fidelity", "1"), refused("invalid filters: 'fidelity' is not a number"))
    if not 1 <= fidelity <= FIDELITY_MAX:
        raise refused("invalid filters: 'fidelity' is out of range")
    found = world.recording.by_token.get(token)
    if found is None:
        return []
    until_ms = min(world.timeline.recorded_ms(min(last_s, now_s)), found[0].closes_ms)
    points = _points(found[1], until_ms, fidelity * MINUTE_MS)
    on_wire = {world.timeline.wire_s(at_ms): price for at_ms, price in points}
    return [{"t": at_s, "p": price} for at_s, price in on_wire.items() if at_s >= first_s]


def refused(message: str) -> Refusal:
    """Return the CLOB's 400."""
    return Refusal(400, {"error": message})


def _window(query: MultiMapping[str], now_s: float) -> tuple[float, float]:
    if "startTs" not in query and "endTs" not in query:
        return _interval(query, now_s)
    refusal = refused("invalid filters: 'startTs' and 'endTs' must be Unix seconds")
    last_s = as_whole(query.get("endTs", str(int(now_s))), refusal)
    first_s = as_whole(query.get("startTs", str(last_s - WINDOW_MAX_S)), refusal)
    if last_s < 0:
        raise refusal
    if last_s - first_s > WINDOW_MAX_S:
        raise refused("invalid filters: 'startTs' and 'endTs' interval is too long")
    return first_s, last_s


def _interval(query: MultiMapping[str], now_s: float) -> tuple[float, float]:
    if "interval" not in query:
        raise refused("the time component is mandatory, please use 'startTs' and 'endTs' or 'interval'")
    if query["interval"] not in INTERVALS_S:
        raise refused("invalid filters: 'interval' is not known")
    return now_s - INTERVALS_S[query["interval"]], now_s


def _points(track: Track, until_ms: int, step_ms: int) -> list[tuple[int, float]]:
    """Return (recorded ms, mid) of the last snapshot in each step that ends by `until_ms`, oldest first."""
    count = int(np.searchsorted(track.times_ms, until_ms, side="right"))
    times, mids = track.times_ms[:count], track.mids()[:count]
    if not count:
        return []
    steps = (times - times[0]) // step_ms
    is_last = np.append(steps[1:] != steps[:-1], True)
    return list(zip(times[is_last].tolist(), np.round(mids[is_last], 4).tolist(), strict=True))
