"""From a signal to a fill: decision, hold, order, venue, fill, ledger, position, audit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from apps.audit.models import Event
from apps.core.errors import Broken
from apps.ledger.models import Entry, Hold
from apps.portfolio import selectors as portfolios
from apps.portfolio.models import Position
from apps.risk import services as risk
from apps.risk.errors import RiskDenied
from apps.risk.models import Decision
from apps.sources.types import Level
from apps.trading import services as trading
from apps.trading.errors import IdempotencyConflict, UnitsAlreadyOffered, WrongOrder
from apps.trading.models import Fill, Order, PaperOrder
from apps.trading.types import WorkCounts
from tests.integration.markets import making
from tests.integration.trading.desk import AFTER_LATENCY, CAPITAL_MINOR, NOW, D, open_desk

pytestmark = pytest.mark.django_db


def nothing_happened() -> bool:
    return not (Order.objects.exists() or Hold.objects.exists() or Position.objects.exists() or PaperOrder.objects.exists())


def test_a_shadow_signal_becomes_an_order_with_its_decision_hold_and_audit_event(desk):
    signal = desk.signal()
    assert desk.take() == 1
    order = desk.order()
    signal.refresh_from_db()
    assert (signal.state, signal.order_id) == ("taken", order.id)
    assert (order.state, order.stake_minor, order.limit_price, order.signal_id) == ("accepted", 5_000_000, None, signal.id)
    assert order.idempotency_key == f"signal:{signal.id}:{desk.tenant_id}:0"
    hold = Hold.objects.get()
    assert (hold.id, hold.amount_minor, hold.state) == (order.hold_id, 5_350_000, "open")  # stake and 7 % of it
    assert hold.reference == f"decision:{order.decision_id}"
    assert Decision.objects.get().is_allowed
    assert Event.objects.filter(action="order.accepted", subject=order.id).count() == 1
    assert desk.take() == 0
    assert Order.objects.count() == 1


def test_an_order_meets_the_book_and_everything_is_booked(desk):
    desk.signal()
    desk.take()
    assert desk.work() == WorkCounts(sent=1)
    assert desk.order().state == "sent"
    assert desk.work(NOW + timedelta(milliseconds=249)) == WorkCounts()
    assert desk.work(NOW + AFTER_LATENCY) == WorkCounts(filled=1)
    fill = Fill.objects.get()
    assert (fill.units, fill.price, fill.notional_minor, fill.fee_minor) == (D("9.615384"), D("0.52"), 5_000_000, 168_000)
    assert (desk.order().state, desk.order().lease_owner, desk.order().next_try_at) == ("filled", "", None)
    assert Hold.objects.get().state == "captured"
    assert desk.held_minor() == 0
    assert desk.balances() == {
        "cash": CAPITAL_MINOR - 5_168_000,
        "positions": 5_000_000,
        "fees": 168_000,
        "result": 0,
        "capital": -CAPITAL_MINOR,
    }
    assert Entry.objects.filter(reference=f"fill:{fill.venue_fill_id}").count() == 1
    position = Position.objects.get()
    assert (position.units, position.cost_minor, position.fees_minor, position.state) == (fill.units, 5_000_000, 168_000, "open")
    assert Event.objects.filter(action="order.filled", subject=desk.order().id).count() == 1
    assert desk.work(NOW + timedelta(minutes=1)) == WorkCounts()


def test_a_fill_keeps_the_evidence_of_the_book_that_it_met(desk):
    desk.signal()
    desk.take()
    desk.work()
    desk.quote(bid="0.53", ask="0.55", at=NOW + timedelta(milliseconds=240))  # before it arrives
    desk.quote(bid="0.60", ask="0.62", at=NOW + timedelta(milliseconds=260))  # too late
    desk.work(NOW + timedelta(minutes=2))
    fill = Fill.objects.get()
    assert fill.price == D("0.55")
    assert fill.evidence["book_received_at"] == (NOW + timedelta(milliseconds=240)).isoformat()
    assert fill.evidence["due_at"] == (NOW + timedelta(milliseconds=250)).isoformat()
    assert [price for price, _ in fill.evidence["legs"]] == ["0.55"]
    assert fill.evidence["quote_id"] > 0


def test_a_book_that_thinned_out_fills_partly_and_the_rest_of_the_hold_comes_free(desk):
    desk.signal()
    desk.take()
    thin = making.book("t1-up", bid="0.50", ask="0.53", at=NOW + timedelta(milliseconds=100))
    making.store_books(replace(thin, asks=(Level(D("0.53"), D(4)),)), now=thin.received_at)
    desk.fill()
    assert desk.order().state == "partly_filled"
    fill = Fill.objects.get()
    assert (fill.units, fill.notional_minor, fill.is_depth_limited) == (D(4), 2_120_000, True)
    assert desk.held_minor() == 0
    assert desk.balances()["cash"] == CAPITAL_MINOR - 2_120_000 - fill.fee_minor


def test_a_shadow_order_that_met_no_fresh_book_gives_hold_and_signal_back(desk, settings):
    settings.PAPER_LATENCY_MS = 700_000
    signal = desk.signal()
    desk.take()
    desk.work()
    later = NOW + timedelta(seconds=701)
    assert desk.work(later) == WorkCounts(rejected=1)
    assert (desk.order().state, desk.order().reason) == ("rejected", "stale_book")
    assert Hold.objects.get().state == "voided"
    assert desk.balances()["cash"] == CAPITAL_MINOR
    assert not Fill.objects.exists()
    signal.refresh_from_db()
    assert (signal.state, signal.attempts) == ("new", 1)


def test_an_order_that_arrives_after_the_close_is_rejected_and_its_signal_stays_taken(desk, settings):
    settings.PAPER_LATENCY_MS = 900_000
    signal = desk.signal()
    desk.take()
    desk.work()
    desk.work(NOW + timedelta(seconds=901))
    assert (desk.order().state, desk.order().reason) == ("rejected", "market_closed")
    assert desk.held_minor() == 0
    signal.refresh_from_db()
    assert signal.state == "taken"


def test_a_stale_price_puts_a_shadow_signal_back_until_the_price_is_fresh(desk):
    signal = desk.signal()
    late = NOW + timedelta(seconds=301)
    assert desk.take(late) == 0
    signal.refresh_from_db()
    assert (signal.state, signal.attempts, signal.reason) == ("new", 1, "price_stale")
    assert nothing_happened()
    assert desk.take(late + timedelta(milliseconds=500)) == 0
    assert Decision.objects.count() == 1  # it waits a second before it is judged again
    desk.quote(bid="0.51", ask="0.53", at=late + timedelta(seconds=1))
    assert desk.take(late + timedelta(seconds=1)) == 1
    assert Decision.objects.count() == 2
    signal.refresh_from_db()
    assert signal.state == "taken"


def test_a_main_signal_that_is_denied_stays_denied(desk):
    signal = desk.signal("main")
    assert desk.take(NOW + timedelta(seconds=301)) == 0
    signal.refresh_from_db()
    assert (signal.state, signal.reason) == ("denied", "price_stale")
    assert Decision.objects.get().checks["price_stale"]["figure"] == "301.000 s"
    assert nothing_happened()


def test_a_main_signal_is_sized_by_kelly_and_limited_to_where_its_edge_ends(desk):
    desk.signal("main")
    then = NOW + timedelta(seconds=1)
    deep = making.book("t1-up", bid="0.51", at=then)
    making.store_books(replace(deep, asks=(Level(D("0.52"), D(9_000)),)), now=then)
    assert desk.take(then) == 1
    order = desk.order()
    # A quarter of (0.60 - 0.537472) / (1 - 0.537472) of 100,000 is 3,380; the largest position is 1,800.
    assert order.stake_minor == 1_800_000_000
    assert order.limit_price == D("0.58")
    desk.fill(then)
    assert desk.balances("main")["positions"] == 1_800_000_000
    assert desk.balances("shadow")["cash"] == CAPITAL_MINOR


def test_a_main_signal_takes_no_more_than_the_book_gives(desk):
    desk.signal("main")
    assert desk.take() == 1
    assert desk.order().stake_minor == 36_440_000  # 30 at 0.520 and 40 at 0.521
    desk.fill()
    assert desk.order().state == "filled"


def test_one_signal_becomes_one_order_for_every_tenant(desk):
    bob = open_desk("bob", with_market=False)
    signal = desk.signal()
    assert desk.take() == 2
    assert set(Order.objects.values_list("tenant_id", flat=True)) == {desk.tenant_id, bob.tenant_id}
    desk.fill()
    assert Fill.objects.count() == 2
    signal.refresh_from_db()
    assert signal.state == "taken"
    assert desk.balances() == bob.balances()


def test_an_order_of_a_signal_that_another_tenants_order_decided_still_ends(desk, settings):
    settings.PAPER_LATENCY_MS = 700_000
    bob = open_desk("bob", with_market=False)
    signal = desk.signal()
    desk.take()
    desk.work()
    signal.refresh_from_db()
    signal.state = "denied"
    signal.save()
    assert desk.work(NOW + timedelta(seconds=701)) == WorkCounts(rejected=2)
    assert desk.held_minor() == bob.held_minor() == 0
    signal.refresh_from_db()
    assert signal.state == "denied"


def test_a_halted_tenant_does_not_hold_up_the_others(desk):
    bob = open_desk("bob", with_market=False)
    risk.halt(tenant_id=desk.tenant_id, reason="drill", by="test", now=NOW)
    desk.signal()
    assert desk.take() == 1
    assert Order.objects.get().tenant_id == bob.tenant_id
    assert Decision.objects.get(tenant_id=desk.tenant_id).reasons == ["locked"]


def test_signals_of_closed_markets_expire_and_are_not_taken(desk):
    signal = desk.signal()
    assert desk.take(desk.market.closes_at) == 0
    signal.refresh_from_db()
    assert signal.state == "expired"
    assert nothing_happened()


def test_the_same_key_gives_the_same_order_and_another_order_under_it_is_a_conflict(desk):
    first = desk.place("k1")
    assert desk.place("k1") == first
    assert (Order.objects.count(), Hold.objects.count(), Decision.objects.count()) == (1, 1, 1)
    with pytest.raises(IdempotencyConflict):
        desk.place("k1", stake_minor=6_000_000)
    assert (Order.objects.count(), Hold.objects.count(), Decision.objects.count()) == (1, 1, 1)


def test_a_denied_order_leaves_its_decision_and_nothing_else(desk):
    with pytest.raises(RiskDenied) as denied:
        desk.place(stake_minor=1_800_000_001)
    assert denied.value.reasons == ("liquidity_too_thin", "position_too_large")
    decision = Decision.objects.get()
    assert (decision.id, decision.is_allowed) == (denied.value.decision_id, False)
    assert decision.checks["position_too_large"] == {"is_within": False, "figure": "1800000001", "limit": "1800000000"}
    assert nothing_happened()


@pytest.mark.parametrize(
    "changes",
    [
        {"stake_minor": None},
        {"units": D(5)},
        {"side": "sell"},
        {"side": "sell", "stake_minor": None},
        {"limit_price": D(0)},
        {"limit_price": D(1)},
        {"limit_price": D("NaN")},
        {"side": "sell", "stake_minor": None, "units": D("Infinity")},
        {"outcome_id": "out_of_another_market"},
    ],
)
def test_an_order_that_makes_no_sense_is_refused_before_anything_happens(desk, changes):
    with pytest.raises(WrongOrder):
        desk.place(**changes)
    assert nothing_happened()
    assert not Decision.objects.exists()


def test_buying_and_selling_brings_cash_back_less_spread_and_fees(desk):
    desk.place("buy", stake_minor=5_200_000)
    desk.fill()
    desk.place("sell", side="sell", stake_minor=None, units=D(4), now=NOW + timedelta(seconds=5))
    desk.fill(NOW + timedelta(seconds=5))
    sale = Fill.objects.get(order__side="sell")
    assert (sale.units, sale.price, sale.notional_minor, sale.fee_minor) == (D(4), D("0.50"), 2_000_000, 70_000)
    assert desk.balances("main") == {
        "cash": CAPITAL_MINOR - 5_200_000 - 174_720 + 2_000_000 - 70_000,
        "positions": 3_120_000,
        "fees": 244_720,
        "result": 80_000,  # sold for 2.00 what had cost 2.08
        "capital": -CAPITAL_MINOR,
    }
    position = Position.objects.get()
    assert (position.units, position.cost_minor, position.fees_minor) == (D(6), 3_120_000, 104_832)
    assert position.realised_minor == -80_000 - 69_888 - 70_000
    equity = portfolios.equity(desk.portfolio("main").id, now=NOW)
    assert equity.equity_minor == desk.balances("main")["cash"] + desk.balances("main")["positions"]


def test_units_are_not_sold_twice(desk):
    desk.place("buy", stake_minor=5_200_000)
    desk.fill()
    desk.place("sell-1", side="sell", stake_minor=None, units=D(6))
    with pytest.raises(UnitsAlreadyOffered):
        desk.place("sell-2", side="sell", stake_minor=None, units=D(5))
    with pytest.raises(RiskDenied) as denied:
        desk.place("sell-3", side="sell", stake_minor=None, units=D(11))
    assert denied.value.reasons == ("size",)
    assert Order.objects.filter(side="sell").count() == 1
    desk.fill(NOW + timedelta(seconds=1))
    assert Position.objects.get().units == D(4)


def test_a_worker_inside_a_transaction_is_refused(desk):
    from django.db import transaction

    with pytest.raises(Broken), transaction.atomic():
        trading.work_due(now=NOW, by="test", owner="w")
