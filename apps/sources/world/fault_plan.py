"""The plan of faults: read from JSON, and asked at every request which fault, if any, befalls it. All pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from math import floor, inf
from typing import Any

from apps.sources.errors import BadAnswer
from apps.sources.strict import parse_json
from apps.sources.world.errors import WorldRefused
from apps.sources.world.fault_kinds import KINDS, Value, header, number, params_of, whole
from apps.sources.world.fault_quota import Quota, quota_of

FAULTS_MAX = 1_000
FIELDS = ("vendor", "path", "from_s", "until_s", "kind", "share", "seed", "params")
EVERY_VENDOR = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: whom it befalls, when (real seconds since the plan was set), how often, and what it is."""

    vendor: str
    path: str
    from_s: float
    until_s: float
    kind: str
    share: float
    seed: int | None
    params: Mapping[str, Value]

    def befalls(self, vendor: str, path: str, elapsed_s: float) -> bool:
        """Return whether a request is in its way."""
        return self.vendor in (vendor, EVERY_VENDOR) and self.from_s <= elapsed_s < self.until_s and fnmatchcase(path, self.path)

    def strikes(self, count: int) -> bool:
        """Return whether it strikes at the `count`-th request in its way (from 1).

        Evenly spread without a seed, so that of n requests floor(n · share) are struck; with one, by lot, and always
        by the same lot.
        """
        if self.seed is None:
            return floor(count * self.share) > floor((count - 1) * self.share)
        lot = int.from_bytes(sha256(f"{self.seed}:{count}".encode()).digest()[:8])
        return lot < self.share * 2**64

    def as_given(self) -> dict[str, Any]:
        """Return it in the form of the fault file, all defaults spelled out."""
        until_s = None if self.until_s == inf else self.until_s
        given = {name: getattr(self, name) for name in FIELDS}
        return given | {"until_s": until_s, "params": dict(self.params)}


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that befalls a request now; `wait_s` is until a quota has room again."""

    fault: Fault
    wait_s: float = 0.0


@dataclass(slots=True)
class Program:
    """The faults that are set, since when, and how often each was met and struck."""

    faults: tuple[Fault, ...] = ()
    since_s: float = 0.0
    met: list[int] = field(default_factory=list)
    struck: list[int] = field(default_factory=list)
    quotas: list[Quota | None] = field(default_factory=list)

    @classmethod
    def starting(cls, faults: Sequence[Fault], *, now_s: float) -> Program:
        """Return a program of these faults whose time begins now."""
        quotas = [quota_of(fault.params) if fault.kind == "quota" else None for fault in faults]
        return cls(tuple(faults), now_s, [0] * len(faults), [0] * len(faults), quotas)

    def strike(self, vendor: str, path: str, *, now_s: float) -> Strike | None:
        """Return the first fault that befalls this request, counting it. A quota with room lets the next faults have it."""
        for index, fault in enumerate(self.faults):
            if not fault.befalls(vendor, path, now_s - self.since_s):
                continue
            self.met[index] += 1
            if not fault.strikes(self.met[index]):
                continue
            quota = self.quotas[index]
            wait_s = quota.take(now_s) if quota else 0.0
            if wait_s is not None:
                self.struck[index] += 1
                return Strike(fault, wait_s)
        return None

    def told(self, *, now_s: float) -> dict[str, Any]:
        """Return the program as the admin endpoint shows it."""
        counted = zip(self.faults, self.met, self.struck, strict=True)
        faults = [fault.as_given() | {"met": met, "struck": struck} for fault, met, struck in counted]
        return {"elapsed_s": round(now_s - self.since_s, 3) if faults else 0.0, "faults": faults}


def read_faults(body: bytes, *, vendors: Sequence[str]) -> tuple[Fault, ...]:
    """Read a fault file: a JSON list of faults. Raises WorldRefused with one plain line that names the first wrong one."""
    try:
        rows = parse_json(body)
    except BadAnswer as refusal:
        raise WorldRefused(str(refusal.reason)) from None
    if not isinstance(rows, list) or len(rows) > FAULTS_MAX:
        raise WorldRefused(f"not a list of at most {FAULTS_MAX} faults")
    return tuple(_numbered(position, row, vendors) for position, row in enumerate(rows, start=1))


def _numbered(position: int, row: object, vendors: Sequence[str]) -> Fault:
    try:
        return _fault(row, vendors)
    except WorldRefused as refusal:
        raise WorldRefused(f"fault {position}: {refusal}") from None


def _fault(row: object, vendors: Sequence[str]) -> Fault:
    if not isinstance(row, dict):
        raise WorldRefused("not an object")
    unknown = next((name for name in row if name not in FIELDS), None)
    if unknown is not None:
        raise WorldRefused(f"no field {unknown!r}; there are {', '.join(FIELDS)}")
    kind = _choice(row, "kind", KINDS)
    given = row.get("params", {})
    if not isinstance(given, dict):
        raise WorldRefused("params is not an object")
    from_s, until_s = _window(row)
    return Fault(
        vendor=_choice(row, "vendor", (*vendors, EVERY_VENDOR)),
        path=_field(row, "path", header, "*"),
        from_s=from_s,
        until_s=until_s,
        kind=kind,
        share=_field(row, "share", number(0, 1), 1.0),
        seed=_field(row, "seed", whole(0, 2**53), None),
        params=params_of(kind, given),
    )


def _window(row: Mapping[str, Value]) -> tuple[float, float]:
    from_s = _field(row, "from_s", number(0, 10**9), 0.0)
    until_s = _field(row, "until_s", number(0, 10**9), inf)
    if until_s <= from_s:
        raise WorldRefused("until_s is not after from_s")
    return from_s, until_s


def _choice(row: Mapping[str, Value], name: str, choices: Sequence[str] | Mapping[str, object]) -> str:
    value = row.get(name)
    if not isinstance(value, str) or value not in choices:
        raise WorldRefused(f"{name} is not one of {', '.join(choices)}")
    return value


def _field(row: Mapping[str, Value], name: str, read: Any, default: Any) -> Any:
    """Return a field as its reader gives it, or `default` when it is missing or null. Raises WorldRefused."""
    value = row.get(name)
    if value is None:
        return default
    try:
        return read(value)
    except WorldRefused as refusal:
        raise WorldRefused(f"{name} {refusal}") from None
