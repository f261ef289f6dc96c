"""The bad days: every fault of the recorded world for every source, and what each must leave behind."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

RECORDED = Path(__file__).resolve().parents[3] / "shared/data/http_errors"
BAR_S = 600  # between two bars of a world at the pace of life
SOURCES = {"polymarket_gamma": "gamma", "polymarket_clob": "clob", "yahoo": "yahoo"}
Leaves = Literal[
    "a quarantined body",
    "a counted body",
    "quarantined rows",
    "a doubted answer",
    "older books",
    "older markets",
    "a failed call",
]


@dataclass(frozen=True)
class Case:
    """One fault of one source. `leaves` says what is written of it; nothing else may be."""

    name: str
    source: str
    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    leaves: Leaves = "a quarantined body"

    def line(self) -> str:
        """Return it as the program under test reads it."""
        fault = {"vendor": SOURCES[self.source], "kind": self.kind, "params": self.params}
        return json.dumps({"name": self.name, "source": self.source, "faults": [fault]})


# Bodies that come with 200 and cannot be believed as a whole.
BODIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("a wall of HTML", "html", {"status": 200}),
    ("a byte order mark", "encoding", {"as": "bom"}),
    ("UTF-16", "encoding", {"as": "utf-16"}),
    ("UTF-16 without a mark", "encoding", {"as": "utf-16-be"}),
    ("UTF-32", "encoding", {"as": "utf-32"}),
    ("Latin-1", "encoding", {"as": "latin-1"}),
    ("zero bytes", "encoding", {"as": "zero-bytes"}),
    ("a duplicate key", "duplicate_keys", {}),
    ("NaN", "number", {"text": "NaN"}),
    ("Infinity", "number", {"text": "Infinity"}),
    ("minus Infinity", "number", {"text": "-Infinity"}),
    ("nothing", "empty", {}),
    ("half of it", "cut", {"part": 0.5}),
    ("a tenth of it", "cut", {"part": 0.001}),
    ("nested arrays", "deep", {"depth": 100_000}),
    ("nested objects", "deep", {"depth": 100_000, "of": "objects"}),
    ("a limit in words", "body", {"body": "error code: 1020"}),
    ("a note instead of data", "body", {"body": '{"Note": "Thank you for using our service! Our limit is 5 calls a minute."}'}),
    ("null", "body", {"body": "null"}),
    ("a number", "body", {"body": "7"}),
    ("a text", "body", {"body": '"ok"'}),
    ("XML", "body", {"body": '<?xml version="1.0"?><error>busy</error>'}),
    ("two documents", "body", {"body": "[] []"}),
    ("JavaScript", "body", {"body": "callback([])"}),
)
# Calls that bring no body: the fetch log has their outcome.
FAILURES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("429 with seconds", "status", {"status": 429, "retry_after": "7"}),
    ("429 with a date", "status", {"status": 429, "retry_after": "Wed, 21 Oct 2099 07:28:00 GMT"}),
    ("429 with a negative wait", "status", {"status": 429, "retry_after": "-5"}),
    ("429 with ages", "status", {"status": 429, "retry_after": "1000000000"}),
    ("429 with rubbish", "status", {"status": 429, "retry_after": "soon"}),
    ("429 with two waits", "status", {"status": 429, "retry_after": ["3", "600"]}),
    ("429 without a wait", "status", {"status": 429}),
    ("500", "status", {"status": 500}),
    ("502", "status", {"status": 502}),
    ("503", "status", {"status": 503}),
    ("a wall of HTML under 403", "html", {"status": 403}),
    ("a wall of HTML under 503", "html", {"status": 503}),
    ("a reset", "reset", {}),
    ("a reset in the body", "reset", {"after_bytes": 5}),
    ("a body cut on the way", "cut", {"content_length": "wrong"}),
    ("a drip", "drip", {"bytes_per_s": 20}),
)
# Answers whose frame is sound and whose rows are not.
ROWS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("prices times a hundred", "scaled", {}),
    ("negative prices", "scaled", {"factor": -1}),
    ("other types", "wrong_types", {}),
    ("numbers beyond all bounds", "number", {"text": "1e400", "every": True}),
    ("numbers of 5,000 digits", "number", {"text": "9" * 5_000, "every": True}),
    ("minus one everywhere", "number", {"text": "-1", "every": True}),
    ("zero everywhere", "number", {"text": "0", "every": True}),
)
# Answers whose rows are sound too: only what is stored shows what is wrong with them.
DOUBTED = frozenset({("yahoo", "prices times a hundred")})
# Refused before they are whole: what is told of them has no excerpt, so two of a kind are one row that counts both.
REFUSED_ON_THE_WAY: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("a redirect loop", "redirect", {"to": "self"}),
    ("a redirect to the metadata address", "redirect", {"to": "http://169.254.169.254/latest/meta-data/"}),
    ("a body without end", "endless", {"bytes_per_s": 10**9}),
    ("a bomb", "gzip_bomb", {"megabytes": 1_000}),
)

OF_ONE_SOURCE = (
    Case("books of the day before yesterday", "polymarket_clob", "stale", {"by_s": 172_800}, leaves="quarantined rows"),
    Case("books of an hour ago", "polymarket_clob", "stale", {"by_s": 3_600}, leaves="older books"),
    Case("markets as they were an hour ago", "polymarket_gamma", "stale", {"by_s": 3_600}, leaves="older markets"),
    Case("markets as they were a week ago", "polymarket_gamma", "stale", {"by_s": 604_800}, leaves="older markets"),
    Case("bars in pounds for pence", "yahoo", "scaled", {"factor": 0.01}, leaves="a doubted answer"),
    Case("bars times ten thousand", "yahoo", "scaled", {"factor": 10_000}, leaves="a doubted answer"),
    *(
        Case(f"bars of {bars} bars before", "yahoo", "stale", {"by_s": bars * BAR_S}, leaves="a doubted answer")
        for bars in (1, 7)
    ),
    Case("every seventh price times a hundred", "polymarket_clob", "scaled", {"every": 7}, leaves="quarantined rows"),
)


def cases() -> Iterator[Case]:
    """Yield every case, source by source."""
    for source in SOURCES:
        for name, kind, params in BODIES:
            yield Case(f"{source}: {name}", source, kind, params)
        for name, kind, params in FAILURES:
            yield Case(f"{source}: {name}", source, kind, params, leaves="a failed call")
        for name, kind, params in ROWS:
            leaves: Leaves = "a doubted answer" if (source, name) in DOUBTED else "quarantined rows"
            yield Case(f"{source}: {name}", source, kind, params, leaves=leaves)
        for name, kind, params in REFUSED_ON_THE_WAY:
            yield Case(f"{source}: {name}", source, kind, params, leaves="a counted body")
    yield from OF_ONE_SOURCE


def recorded_cases() -> Iterator[Case]:
    """Yield real error bodies of real services, served with 200; nothing when the recordings are not here."""
    for number, body in enumerate({body[:1_500].strip(): body for body in _recorded_bodies()}.values()):
        yield Case(f"recorded error {number}", "polymarket_clob", "body", {"body": body})


def _recorded_bodies() -> Iterator[str]:
    archive, quoted = RECORDED / "recorded_error_responses.jsonl.gz", RECORDED / "quoted_error_bodies.json"
    if not archive.exists() or not quoted.exists():
        return
    with gzip.open(archive, "rt") as lines:
        for line in lines:
            yield str(json.loads(line)["body"])[:9_000]
    for row in json.loads(quoted.read_text()):
        yield str(row["body"])[:9_000]
    for page in sorted((RECORDED / "cloudflare_html").glob("*.html")):
        yield page.read_text(errors="replace")[:9_000]
