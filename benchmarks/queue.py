"""The desk's queue against Celery as it comes, Dramatiq, RQ, Huey and Taskiq: one Valkey, one PostgreSQL, one run.

Every library runs as a producer and two worker processes (Celery and the desk: one main process with two children), all
of them started and warm; who is not measured waits for work, which costs next to nothing. A job is the same for all: it
writes sixteen bytes into a pipe (`queue_marks.py`). All libraries acknowledge after the work, but for Huey, which
acknowledges nothing: what its worker holds when it dies is lost. Only the desk's keep rows in PostgreSQL, on disk.

Times are of one job. Enqueue to done: from the first send to the last job done, the workers at work meanwhile. Drain: the
jobs are there, and the workers are let go. Start: from before the send of one job to its body, with idle workers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from benchmarks import servers
from benchmarks.pairs import Bound, Contest, SelfTimed
from benchmarks.queue_fetching import URLS_EACH
from benchmarks.queue_systems import PYTHON, Entrant, gather, ours, peers, running
from project.local.processes import beat_command

Entrants = dict[str, Entrant]

JOBS = 1_000
DRAINED = 5_000
STARTS, PAUSE_S = 40, 0.01
FETCHES = 40
CROWD, CROWDED_STARTS, CROWDED_P50_MS, CROWDED_P95_MS = 10_000, 100, 5.0, 20.0
SLOTS_MEANWHILE = 500  # of the slow source, while the others are watched
PLAIN_AT_LEAST, PACED_AT_LEAST, START_AT_MOST = 0.95, 0.8, 1.5


def contests() -> Iterator[Contest | Bound]:
    """Yield the comparisons, all of them with the same processes around."""
    with (
        servers.own_valkey() as redis_url,
        servers.own_postgres() as database_url,
        documents() as url,
        running({"ours": ours(redis_url, database_url, url), **peers(redis_url), "gather": gather(url)}) as entrants,
    ):
        yield from _messages(entrants)
        yield from _costs(entrants)
        yield from _starts(entrants)
        yield from _rows(entrants)
        yield from _urls(entrants)
        yield from _crowded(entrants["ours"])


@contextmanager
def documents() -> Iterator[str]:
    """Yield the address of the vendor that costs next to nothing."""
    port = servers.free_port()
    with servers.running([sys.executable, "-m", "benchmarks.queue_documents", str(port)]):
        servers.wait_until(lambda: servers.is_listening(port))
        yield f"http://127.0.0.1:{port}"


def _messages(entrants: Entrants) -> Iterator[Contest]:
    """A no-op of ours, and a paced one, from enqueue to done, against the same of the others."""
    name = f"{JOBS} no-ops, enqueue to done"
    for peer in ("celery", "dramatiq", "rq", "huey", "taskiq"):
        yield Contest(
            name=name,
            ours=f"plain: {entrants['ours'].system.about}",
            theirs=entrants[peer].system.about,
            run_ours=_doing(entrants["ours"], "plain", JOBS),
            run_theirs=_doing(entrants[peer], "plain", JOBS),
            units=JOBS,
            at_least=PLAIN_AT_LEAST if peer == "celery" else None,
            rounds=11 if peer == "celery" else 3,
        )
    yield Contest(
        name=name,
        ours="paced: each takes a slot of its source's pace in Valkey before it is sent",
        theirs=entrants["celery"].system.about,
        run_ours=_doing(entrants["ours"], "paced", JOBS),
        run_theirs=_doing(entrants["celery"], "plain", JOBS),
        units=JOBS,
        at_least=PACED_AT_LEAST,
        rounds=11,
    )
    yield Contest(
        name=name,
        ours="jobs: each a row of its own, enqueued, claimed and finished in three transactions, with a bell of its own",
        theirs=entrants["celery"].system.about,
        run_ours=_doing(entrants["ours"], "single", JOBS),
        run_theirs=_doing(entrants["celery"], "plain", JOBS),
        units=JOBS,
        rounds=3,
    )


def _costs(entrants: Entrants) -> Iterator[Contest]:
    for kind in ("plain", "paced", "single"):
        yield SelfTimed(
            name="CPU time of producer and workers for a no-op",
            ours=f"{kind}: {entrants['ours'].system.about}",
            theirs=entrants["celery"].system.about,
            run_ours=_costing(entrants["ours"], kind, JOBS),
            run_theirs=_costing(entrants["celery"], "plain", JOBS),
            units=JOBS,
            rounds=5,
        )


def _starts(entrants: Entrants) -> Iterator[Contest]:
    for peer in ("celery", "dramatiq", "rq", "huey", "taskiq"):
        yield SelfTimed(
            name="from the doorbell to the start, p50",
            ours=entrants["ours"].system.about,
            theirs=entrants[peer].system.about,
            run_ours=_starting(entrants["ours"], "plain"),
            run_theirs=_starting(entrants[peer], "plain"),
            units=1,
            at_most=START_AT_MOST if peer == "celery" else None,
            rounds=9 if peer == "celery" else 3,
        )
    yield SelfTimed(
        name="from the doorbell to the start, p50",
        ours="paced: its slot, which is free, is taken in Valkey before it is sent",
        theirs=entrants["celery"].system.about,
        run_ours=_starting(entrants["ours"], "paced"),
        run_theirs=_starting(entrants["celery"], "plain"),
        units=1,
        rounds=9,
    )


def _rows(entrants: Entrants) -> Iterator[Contest]:
    yield SelfTimed(
        name=f"rows through bells that wake batches of 100, drained; {DRAINED} no-ops of Huey, drained",
        ours="each row claimed and finished in PostgreSQL, on disk; a hundred in a transaction",
        theirs=entrants["huey"].system.about,
        run_ours=_draining(entrants["ours"], "rows", DRAINED, settle="settled"),
        run_theirs=_draining(entrants["huey"], "plain", DRAINED),
        units=DRAINED,
        at_least=1.0,
        rounds=7,
    )


def _urls(entrants: Entrants) -> Iterator[Contest | Bound]:
    documents_each = FETCHES * URLS_EACH
    run_ours = _doing(entrants["ours"], "urls", FETCHES)
    yield Contest(
        name=f"{documents_each} URLs in tasks of {URLS_EACH}",
        ours="tasks of the desk's queue, each a fetch_batch of the whole kit (retry, breaker and limiter on Valkey, bulkhead)",
        theirs=entrants["gather"].system.about,
        run_ours=run_ours,
        run_theirs=_doing(entrants["gather"], "urls", FETCHES),
        units=documents_each,
    )

    def rate() -> float:
        started = time.perf_counter()
        run_ours()
        return documents_each / (time.perf_counter() - started)

    yield Bound(name=f"URLs in tasks of {URLS_EACH}, through queue and kit", unit="URLs a second", run=rate, at_least=8_000.0)


def _crowded(entrant: Entrant) -> Iterator[Bound]:
    """How soon others start while paced jobs wait for a slow source, with a beat (its mover and its caretaker) at work."""
    entrant.add((*PYTHON, *beat_command()))
    entrant.send("crowd", CROWD)
    entrant.wait_sent()
    others = f"start of another task while {CROWD} paced ones wait"

    def quantile(place: float) -> float:
        waits = sorted(waits_ms(entrant, "plain", CROWDED_STARTS))
        return waits[int(place * len(waits))]

    yield Bound(name=f"{others}, p50", unit="ms", run=lambda: quantile(0.5), at_most=CROWDED_P50_MS)
    yield Bound(name=f"{others}, p95", unit="ms", run=lambda: quantile(0.95), at_most=CROWDED_P95_MS)
    entrant.send("crowded", CROWD - SLOTS_MEANWHILE)
    entrant.wait_sent()


def _doing(entrant: Entrant, kind: str, count: int) -> Callable[[], object]:
    """Return what sends so many and waits until they ran."""
    return lambda: entrant.run(kind, count)


def _costing(entrant: Entrant, kind: str, count: int) -> Callable[[], float]:
    """Return what measures the CPU seconds of producer and workers; what else the machine does hardly disturbs that."""

    def cost() -> float:
        before_s = entrant.cpu_s()
        entrant.run(kind, count)
        return entrant.cpu_s() - before_s

    return cost


def _starting(entrant: Entrant, kind: str) -> Callable[[], float]:
    """Return what measures the median of the waits of jobs that come one by one, in seconds."""
    return lambda: median(waits_ms(entrant, kind)) / 1_000


def waits_ms(entrant: Entrant, kind: str, count: int = STARTS) -> list[float]:
    """Send jobs one by one to workers that are idle, and return how long each waited."""
    waits: list[float] = []
    for _ in range(count):
        waits.extend(mark.wait_ms for mark in entrant.run(kind, 1))
        time.sleep(PAUSE_S)
    return waits


def _draining(entrant: Entrant, kind: str, count: int, settle: str = "") -> Callable[[], float]:
    """Return what measures the seconds in which the workers do what was there before they were let go.

    `settle` names an order to the producer that it answers when nothing is left to write down either.
    """

    def drain() -> float:
        with entrant.paused():
            entrant.send(kind, count)
            entrant.wait_sent()
            started = time.perf_counter()
        entrant.take(count)
        if settle:
            entrant.send(settle, 0)
            entrant.wait_sent()
        return time.perf_counter() - started

    return drain
