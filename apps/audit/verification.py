"""The walk along the chain that finds every event changed, removed, moved or smuggled in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from django.db.models import Exists, Max, OuterRef

from apps.audit import chain
from apps.audit.anchors import Anchor
from apps.audit.models import Event, Seal, SealedEvent, UnsealedEvent
from apps.audit.types import Verification

PROBLEMS_MAX = 100
EVENTS_PER_READ = 10_000
SEALS_PER_READ = 500


@dataclass(slots=True)
class ChainWalk:
    """One walk: reads batches of seals with their members and events, and notes what does not fit.

    Seals are read up to the newest at the start; since seals and memberships only grow, later ones do not disturb.
    """

    key: bytes
    anchor: Anchor | None
    problems: list[str] = field(default_factory=list)
    events: int = 0
    seals: int = 0
    unsealed: int = 0
    previous_number: int = 0
    previous_digest: str = chain.GENESIS
    anchored_digest: str | None = None

    def result(self) -> Verification:
        """Walk and return what was found."""
        for batch in self._batches_of_seals():
            self._check_batch(batch)
        self._check_strays()
        self._check_waiting()
        self._check_anchor()
        return Verification(
            is_good=not self.problems,
            events=self.events,
            seals=self.seals,
            unsealed=self.unsealed,
            first_problem=self.problems[0] if self.problems else None,
            problems=tuple(self.problems),
        )

    def _note(self, problem: str) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def _batches_of_seals(self) -> Iterator[list[Seal]]:
        last: int | None = Seal.objects.aggregate(last=Max("number"))["last"]
        done: int | None = None
        while last is not None and (done is None or done < last):
            after = Seal.objects.filter(number__lte=last).order_by("number")
            rows = list((after if done is None else after.filter(number__gt=done))[:SEALS_PER_READ])
            yield from _by_size(rows)
            done = rows[-1].number if rows else last

    def _check_batch(self, seals: Sequence[Seal]) -> None:
        members = SealedEvent.objects.filter(seal_id__in=[seal.id for seal in seals]).order_by("seal_id", "position", "event_id")
        rows = list(members.values_list("seal_id", "position", "event_id"))
        events = Event.objects.in_bulk([event_id for _, _, event_id in rows])
        of_seal = {seal_id: list(group) for seal_id, group in groupby(rows, key=lambda row: row[0])}
        for seal in seals:
            held = [(position, event_id) for _, position, event_id in of_seal.get(seal.id, [])]
            self._check_members(seal, held, events)
            self._check_link(seal, held, events)

    def _check_members(self, seal: Seal, held: Sequence[tuple[int, int]], events: dict[int, Event]) -> None:
        self.seals += 1
        if [position for position, _ in held] != list(range(seal.event_count)):
            self._note(f"seal {seal.number}: {seal.event_count} events were sealed, {len(held)} are listed or out of place")
        for _, event_id in held:
            event = events.get(event_id)
            if event is None:
                self._note(f"event {event_id}: deleted after seal {seal.number}")
            else:
                self._check_event(event)

    def _check_event(self, event: Event) -> None:
        self.events += 1
        if chain.event_digest(_deed_of(event)) != event.digest:
            self._note(f"event {event.id}: changed, its digest does not fit")

    def _check_link(self, seal: Seal, held: Sequence[tuple[int, int]], events: dict[int, Event]) -> None:
        if seal.number != self.previous_number + 1:
            self._note(f"seal {seal.number}: follows seal {self.previous_number}, seals between are missing")
        if seal.previous_digest != self.previous_digest:
            self._note(f"seal {seal.number}: is not linked to the seal before it")
        batch = chain.batch_digest((at, event_id, events[event_id].digest if event_id in events else "") for at, event_id in held)
        link = chain.Link(**{name: getattr(seal, name) for name in chain.Link.__dataclass_fields__})
        if chain.link_digest(link, batch) != seal.digest:
            self._note(f"seal {seal.number}: does not fit its events or its own figures")
        if held and (held[0][1], held[-1][1]) != (seal.first_event_id, seal.last_event_id):
            self._note(f"seal {seal.number}: names other events as its first and last")
        if not chain.is_signed(seal.digest, seal.signature, self.key):
            self._note(f"seal {seal.number}: signature is not ours")
        self.previous_number, self.previous_digest = seal.number, seal.digest
        if self.anchor and seal.number == self.anchor.number:
            self.anchored_digest = seal.digest

    def _check_strays(self) -> None:
        """Find memberships whose seal is gone."""
        strays = SealedEvent.objects.filter(~Exists(Seal.objects.filter(id=OuterRef("seal_id")))).order_by("event_id")
        for event_id in strays.values_list("event_id", flat=True)[:PROBLEMS_MAX]:
            self._note(f"event {event_id}: lies under a seal that does not exist")

    def _check_waiting(self) -> None:
        """Check the events under no seal: each must wait for one, and each that waits must be there."""
        under_seal = SealedEvent.objects.filter(event_id=OuterRef("id"))
        waiting = UnsealedEvent.objects.filter(event_id=OuterRef("id"))
        free = Event.objects.filter(~Exists(under_seal)).annotate(is_waiting=Exists(waiting)).order_by("id")
        for event in free.iterator(chunk_size=2_000):
            self.unsealed += 1
            self._check_event(event)
            if not event.is_waiting:
                self._note(f"event {event.id}: lies under no seal and waits for none")
        lost = UnsealedEvent.objects.filter(~Exists(Event.objects.filter(id=OuterRef("event_id")))).order_by("event_id")
        for event_id in lost.values_list("event_id", flat=True)[:PROBLEMS_MAX]:
            self._note(f"event {event_id}: deleted before it was sealed")

    def _check_anchor(self) -> None:
        if self.anchor is None:
            return
        if not chain.is_signed(self.anchor.digest, self.anchor.signature, self.key):
            self._note(f"anchor {self.anchor.number}: signature is not ours")
        if self.anchored_digest is None:
            self._note(f"anchor {self.anchor.number}: the chain was cut off, it ends at seal {self.previous_number}")
        elif self.anchored_digest != self.anchor.digest:
            self._note(f"anchor {self.anchor.number}: the chain was rewritten, that seal is another one now")


def _by_size(seals: Sequence[Seal]) -> Iterator[list[Seal]]:
    """Split seals into runs whose events together stay near EVENTS_PER_READ."""
    run: list[Seal] = []
    size = 0
    for seal in seals:
        if run and size + seal.event_count > EVENTS_PER_READ:
            yield run
            run, size = [], 0
        run.append(seal)
        size += max(seal.event_count, 0)
    if run:
        yield run


def _deed_of(event: Event) -> chain.Deed:
    return chain.Deed(event.at, event.tenant, event.actor, event.action, event.subject, event.detail)
