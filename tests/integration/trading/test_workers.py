"""Many workers, dead workers and a venue that is away: no order is filled twice, none is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Barrier
from typing import TypeVar

import pytest
from django.db import connection

from apps.core.claims import StaleLease
from apps.core.errors import OutcomeUnknown, Transient
from apps.ledger.models import Entry, Hold
from apps.risk import selectors as risk
from apps.trading import services as trading
from apps.trading import venues
from apps.trading.models import Fill, Order, PaperOrder
from apps.trading.services import filling, leasing
from apps.trading.services.leasing import LEASE, Claim
from apps.trading.types import OrderState, ReconcileCounts, WorkCounts
from apps.trading.venues.base import VenueReport
from apps.trading.venues.paper import PaperVenue
from tests.integration.trading.desk import AFTER_LATENCY, BY, CAPITAL_MINOR, NOW, Desk

T = TypeVar("T")
AFTER_LEASE = NOW + LEASE + timedelta(milliseconds=1)


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Run `act` in `count` threads that start together, each with its own connection."""
    together = Barrier(count)

    def run(number: int) -> T:
        together.wait()
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@dataclass
class AwayVenue:
    """The paper venue behind a bad line: the listed verbs raise, after doing their work or before."""

    failing: set[str]
    error: type[Exception] = Transient
    does_its_work: bool = False
    name: str = "paper"

    def __post_init__(self) -> None:
        self.real = PaperVenue()

    def __getattr__(self, verb: str):
        def call(*args, **kwargs):
            if verb not in self.failing:
                return getattr(self.real, verb)(*args, **kwargs)
            if self.does_its_work:
                getattr(self.real, verb)(*args, **kwargs)
            raise self.error(f"{verb} went wrong")

        return call


@pytest.fixture
def line(monkeypatch) -> Callable[..., None]:
    def cut(*verbs: str, **options) -> None:
        monkeypatch.setitem(venues.VENUES, "paper", AwayVenue(set(verbs), **options) if verbs else PaperVenue())

    return cut


def reconcile(now=AFTER_LEASE) -> ReconcileCounts:
    return trading.reconcile(now=now, by=BY)


def claimed(state: OrderState, owner: str, now: datetime) -> Claim:
    """Claim the one order that is due, as a worker does."""
    claim = leasing.claim_next(states=(state,), owner=owner, now=now)
    assert claim is not None
    return claim


def told(order_id: str, now: datetime) -> VenueReport:
    """Ask the paper venue what became of an order that it has."""
    report = PaperVenue().status(order_id, now=now)
    assert report is not None
    return report


def accepted_order(desk: Desk) -> Order:
    desk.signal()
    desk.take()
    return desk.order()


@pytest.mark.django_db(transaction=True)
def test_eight_workers_fill_twelve_orders_once_each(desk):
    for number in range(12):
        desk.place(f"k{number}", stake_minor=3_000_000, portfolio_kind="shadow", portfolio_id=desk.portfolio().id)
    sent = at_once(8, lambda number: desk.work(owner=f"worker-{number}"))
    assert sum(counts.sent for counts in sent) == 12
    filled = at_once(8, lambda number: desk.work(NOW + AFTER_LATENCY, owner=f"worker-{number}"))
    assert sum(counts.filled for counts in filled) == 12
    assert sum(counts.stale for counts in filled) == 0
    assert (Fill.objects.count(), PaperOrder.objects.count()) == (12, 12)
    assert Entry.objects.filter(kind="fill").count() == 12
    assert desk.balances()["positions"] == 36_000_000
    assert desk.held_minor() == 0


@pytest.mark.django_db(transaction=True)
def test_eight_takers_take_a_signal_once(desk):
    desk.signal()
    assert sum(at_once(8, lambda _: desk.take())) == 1
    assert Order.objects.count() == 1
    assert Hold.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_key_from_eight_threads_is_one_order(desk):
    placed = at_once(8, lambda _: desk.place("k1").id)
    assert len(set(placed)) == 1
    assert (Order.objects.count(), Hold.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_a_sender_that_died_before_the_venue_heard_of_it_is_cancelled_and_never_sent_again(desk):
    order = accepted_order(desk)
    claimed("accepted", "dead", NOW)
    assert reconcile(NOW + LEASE / 2) == ReconcileCounts()
    assert reconcile() == ReconcileCounts(lost=1, cancelled=1)
    order.refresh_from_db()
    assert (order.state, order.reason) == ("cancelled", "withdrawn")
    assert Hold.objects.get().state == "voided"
    assert desk.balances()["cash"] == CAPITAL_MINOR
    assert not Fill.objects.exists()
    desk.quote(bid="0.51", ask="0.53", at=AFTER_LEASE)
    later = AFTER_LEASE + timedelta(seconds=2)
    assert desk.take(later) == 1  # the signal was put back and tried under a new order
    assert Order.objects.exclude(id=order.id).get().idempotency_key.endswith(":1")
    desk.fill(later)
    assert Fill.objects.count() == 1


@pytest.mark.django_db
def test_a_sender_that_died_after_the_venue_took_the_order_is_filled_once(desk):
    order = accepted_order(desk)
    claim = claimed("accepted", "dead", NOW)
    from apps.trading.services.working import _request_of

    PaperVenue().submit(claim.id, _request_of(order), now=NOW)  # and it dies before writing that down
    assert reconcile() == ReconcileCounts(lost=1, found=1)
    order.refresh_from_db()
    assert order.state == "filled"
    assert Fill.objects.get().evidence["due_at"] == (NOW + timedelta(milliseconds=250)).isoformat()
    assert desk.work(AFTER_LEASE) == WorkCounts()
    assert Fill.objects.count() == 1
    assert desk.held_minor() == 0


@pytest.mark.django_db
def test_a_worker_that_wakes_up_after_its_lease_writes_nothing_and_cannot_send_late(desk):
    order = accepted_order(desk)
    sleeper = claimed("accepted", "sleeper", NOW)
    reconcile()
    from apps.trading.services.working import _request_of, _work

    PaperVenue().submit(order.id, _request_of(order), now=AFTER_LEASE)
    assert PaperOrder.objects.get().answer == {"reason": "withdrawn"}
    assert _work(sleeper, now=AFTER_LEASE, by=BY) == "stale"
    order.refresh_from_db()
    assert order.state == "cancelled"
    assert not Fill.objects.exists()


@pytest.mark.django_db
def test_a_token_that_another_claim_followed_is_refused(desk):
    accepted_order(desk)
    desk.work()
    first = claimed("sent", "slow", NOW + AFTER_LATENCY)
    after = NOW + AFTER_LATENCY + LEASE
    second = claimed("sent", "fast", after)
    assert second.token == first.token + 1
    report = told(first.id, after)
    with pytest.raises(StaleLease):
        filling.apply_report(claim=first, report=report, now=after, by=BY)
    assert not Fill.objects.exists()
    assert filling.apply_report(claim=second, report=report, now=after, by=BY) == "filled"
    with pytest.raises(StaleLease):
        filling.apply_report(claim=second, report=report, now=after, by=BY)
    assert Fill.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("error", [Transient, OutcomeUnknown])
@pytest.mark.parametrize(("does_its_work", "outcome"), [(True, "filled"), (False, "cancelled")])
def test_a_send_that_failed_is_asked_after_and_not_repeated(desk, line, error, does_its_work, outcome):
    order = accepted_order(desk)
    line("submit", error=error, does_its_work=does_its_work)
    assert desk.work() == WorkCounts(unknown=1)
    assert desk.work(NOW + timedelta(minutes=1)) == WorkCounts()
    assert reconcile(NOW + timedelta(minutes=1)) == ReconcileCounts(found=does_its_work, cancelled=not does_its_work)
    order.refresh_from_db()
    assert order.state == outcome
    assert Fill.objects.count() == does_its_work
    assert desk.held_minor() == 0


@pytest.mark.django_db
def test_a_venue_that_is_away_is_asked_again_later(desk, line):
    accepted_order(desk)
    desk.work()
    line("status")
    assert desk.work(NOW + AFTER_LATENCY) == WorkCounts(postponed=1)
    assert desk.work(NOW + AFTER_LATENCY) == WorkCounts()
    line()
    assert desk.work(NOW + AFTER_LATENCY + leasing.PAUSE) == WorkCounts(filled=1)


@pytest.mark.django_db
def test_an_order_that_stays_unknown_stops_trading_and_is_still_found_in_the_end(desk, line):
    order = accepted_order(desk)
    line("submit", "status", does_its_work=True)
    desk.work()
    moment = NOW
    for attempt in range(3):
        moment += timedelta(seconds=10)
        assert reconcile(moment) == ReconcileCounts(unknown=1), attempt
    locks = risk.locks_in_force(tenant_id=desk.tenant_id, now=moment)
    assert [lock.name for lock in locks] == ["broken"]
    order.refresh_from_db()
    assert (order.state, order.attempts) == ("unknown", 4)
    assert desk.held_minor() == 5_350_000  # the money stays held while nobody knows
    line()
    assert reconcile(moment + timedelta(minutes=1)) == ReconcileCounts(found=1)
    order.refresh_from_db()
    assert order.state == "filled"
    assert [lock.name for lock in risk.locks_in_force(tenant_id=desk.tenant_id, now=moment)] == ["broken"]


@pytest.mark.django_db
def test_a_fill_cannot_be_changed_or_deleted(desk):
    from django.db import DatabaseError, transaction

    accepted_order(desk)
    desk.fill()
    for change in (lambda: Fill.objects.update(units=1), lambda: Fill.objects.all().delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
    assert Fill.objects.count() == 1
