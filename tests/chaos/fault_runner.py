"""A desk that goes through bad days, run as a program by test_every_fault.py: python fault_runner.py WORLD_URL.

It reads one case a line from stdin: `{"name", "source", "faults"}`. For each it sets the faults on the recorded world,
asks the source through the desk's own services, and says on stdout what came of it: the error's code, what was
written, and the memory of this process. It measures itself, so nothing else may live in it.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import urllib.request
from pathlib import Path
from typing import Any

import django

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
django.setup()

from django.db import connection, reset_queries  # noqa: E402  # after setup

from apps.core.clock import now  # noqa: E402
from apps.core.errors import DeskError  # noqa: E402
from apps.markets import services as markets  # noqa: E402
from apps.resilience.testing import no_waiting  # noqa: E402
from apps.sources import http, registry  # noqa: E402
from apps.sources import services as sources  # noqa: E402
from apps.sources.models import FetchLog, Quarantine  # noqa: E402

BY = "test"
DEADLINE_S, READ_S = 3.0, 1.0
# Everything that a fetch may store; versions of rows count, so that a rewritten row is seen too.
STORED = (
    "markets_event",
    "markets_market",
    "markets_outcome",
    "markets_quote",
    "markets_latestprice",
    "markets_candle",
    "markets_instrument",
    "markets_result",
)
DOORS = {
    "polymarket_gamma": lambda: markets.refresh_catalogue(source="polymarket_gamma", now=now(), by=BY),
    "polymarket_clob": lambda: markets.refresh_books(source="polymarket_clob", now=now(), by=BY),
    "yahoo": lambda: markets.refresh_candles(source="yahoo", symbol="^GSPC", now=now(), by=BY),
}


def main(world_url: str) -> int:
    """Go through every case of stdin."""
    logging.disable(logging.CRITICAL)  # what is told on stdout is for the test alone
    hurry()
    with no_waiting():
        for line in sys.stdin:
            print(json.dumps(go_through(json.loads(line), world_url)), flush=True)
    http.shut_down()
    return 0


def hurry() -> None:
    """Shorten the deadlines: a body that drips must not cost the test half a minute."""
    connect = registry.connection_of

    def hurried(vendor: Any) -> Any:
        given = connect(vendor)
        return dataclasses.replace(given, policy=dataclasses.replace(given.policy, deadline_s=DEADLINE_S, read_s=READ_S))

    setattr(registry, "connection_of", hurried)  # noqa: B010  # for this process


def go_through(case: dict[str, Any], world_url: str) -> dict[str, Any]:
    """Set the faults, ask, and tell what came of it."""
    set_faults(world_url, case["faults"])
    sources.reset_breaker(source=case["source"], by=BY, now=now())
    before = written()
    Path("/proc/self/clear_refs").write_text("5")  # begin the peak of this process anew
    outcome, message = ask(case["source"])
    after = written()
    reset_queries()
    log = FetchLog.objects.order_by("-id").first()
    return {
        "name": case["name"],
        "outcome": outcome,
        "message": message,
        "stored": {
            table: (before["stored"][table], after["stored"][table])
            for table in STORED
            if before["stored"][table] != after["stored"][table]
        },
        "quarantined": after["quarantined"] - before["quarantined"],
        "seen": after["seen"] - before["seen"],
        "fetches": after["fetches"] - before["fetches"],
        "log": None
        if log is None
        else {"outcome": log.outcome, "status": log.http_status, "records": log.records, "rejected": log.rejected},
        "rss_mb": memory_mb("VmRSS"),
        "peak_mb": memory_mb("VmHWM"),
    }


def set_faults(world_url: str, faults: list[dict[str, Any]]) -> None:
    request = urllib.request.Request(f"{world_url}/_world/faults", data=json.dumps(faults).encode(), method="PUT")
    with urllib.request.urlopen(request, timeout=5) as answer:
        answer.read()


def ask(source: str) -> tuple[str, str]:
    try:
        counts = DOORS[source]()
    except DeskError as error:
        return error.code, str(error)
    return "ok", repr(counts)


def written() -> dict[str, Any]:
    seen = Quarantine.objects.values_list("seen_count", flat=True)
    return {"stored": fingerprints(), "quarantined": len(seen), "seen": sum(seen), "fetches": FetchLog.objects.count()}


def fingerprints() -> dict[str, str]:
    """Return count and newest row version of every table: any insert, update or delete changes one of them."""
    with connection.cursor() as cursor:
        told = {}
        for table in STORED:
            cursor.execute(f"SELECT count(*), coalesce(max(xmin::text::bigint), 0) FROM {table}")
            told[table] = "{} rows, version {}".format(*cursor.fetchone())
    return told


def memory_mb(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
