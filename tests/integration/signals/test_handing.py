"""Handing signals to those who trade, and taking them back."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from apps.audit.models import Event as AuditEvent
from apps.core.db import OutsideTransaction
from apps.signals import selectors, services
from apps.signals.errors import SignalNotFound, SignalNotInState
from apps.signals.models import Signal
from tests.integration.forecasts.little_world import NOW, make_market, outcomes_of

SECOND = timedelta(seconds=1)


def make_signal(*, kind="shadow", state="new", made_at=NOW, market=None):
    market = market or make_market()
    return Signal.objects.create(
        forecast_id="fct_1",
        market=market,
        outcome=outcomes_of(market)[0],
        portfolio_kind=kind,
        state=state,
        model="m",
        p_model="0.6",
        p_price="0.5",
        ask="0.51",
        fee_per_unit="0.0175",
        edge_net="0.0725",
        made_at=made_at,
    )


def claim(limit=10, now=NOW):
    with transaction.atomic():
        return [view.id for view in services.claim_new(limit=limit, now=now)]


def state_of(signal):
    found = selectors.get_signal(signal.id)
    return found.state, found.attempts


@pytest.mark.django_db
def test_new_signals_are_claimed_the_oldest_first():
    second = make_signal()
    first = make_signal(made_at=NOW - SECOND)
    make_signal(state="suppressed", kind="main")
    make_signal(state="taken")
    assert claim() == [first.id, second.id]
    assert claim(limit=1) == [first.id]


@pytest.mark.django_db
def test_signals_of_closed_markets_are_not_claimed():
    make_signal(market=make_market(closes_at=NOW))
    make_signal(market=make_market(state="closed"))
    assert claim() == []


@pytest.mark.django_db(transaction=True)
def test_two_traders_never_hold_the_same_signal():
    made = {make_signal().id for _ in range(6)}
    claimed, barrier = [], threading.Barrier(2)

    def run():
        try:
            with transaction.atomic():
                barrier.wait(timeout=20)
                claimed.append([view.id for view in services.claim_new(limit=3, now=NOW)])
                barrier.wait(timeout=20)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [len(ids) for ids in claimed] == [3, 3]
    assert {signal_id for ids in claimed for signal_id in ids} == made


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", ["claim_new", "mark_taken", "mark_denied", "put_back"])
def test_parts_of_a_larger_change_refuse_to_run_alone(verb):
    signal = make_signal()
    given = {
        "claim_new": {"limit": 1},
        "mark_taken": {"signal_id": signal.id, "order_id": "ord_1"},
        "mark_denied": {"signal_id": signal.id, "reason": "no"},
        "put_back": {"signal_id": signal.id, "reason": "no"},
    }[verb]
    with pytest.raises(OutsideTransaction):
        getattr(services, verb)(now=NOW, **given)
    assert state_of(signal) == ("new", 0)


@pytest.mark.django_db
def test_a_taken_signal_names_its_order_and_cannot_be_taken_again():
    signal = make_signal()
    with transaction.atomic():
        services.mark_taken(signal_id=signal.id, order_id="ord_1", now=NOW)
    assert selectors.get_signal(signal.id).order_id == "ord_1"
    with transaction.atomic(), pytest.raises(SignalNotInState, match="is taken, not new"):
        services.mark_taken(signal_id=signal.id, order_id="ord_2", now=NOW)
    assert selectors.get_signal(signal.id).order_id == "ord_1"
    assert claim() == []


@pytest.mark.django_db
def test_a_denied_signal_says_why():
    signal = make_signal()
    with transaction.atomic():
        services.mark_denied(signal_id=signal.id, reason="x" * 500, now=NOW)
    assert selectors.get_signal(signal.id).state == "denied"
    assert selectors.get_signal(signal.id).reason == "x" * 300


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["new", "taken"])
def test_a_signal_put_back_is_tried_again_at_the_next_tick_after_those_tried_less(state):
    signal = make_signal(state=state)
    with transaction.atomic():
        assert services.put_back(signal_id=signal.id, reason="never sent", now=NOW)
    assert state_of(signal) == ("new", 1)
    assert claim() == []
    other = make_signal(made_at=NOW + SECOND)
    assert claim(now=NOW + SECOND) == [other.id, signal.id]


@pytest.mark.django_db
def test_a_signal_put_back_after_the_close_expires():
    signal = make_signal(state="taken", market=make_market(closes_at=NOW))
    with transaction.atomic():
        assert not services.put_back(signal_id=signal.id, reason="never sent", now=NOW)
    assert state_of(signal) == ("expired", 1)


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["denied", "expired", "suppressed"])
def test_what_is_decided_is_not_put_back(state):
    signal = make_signal(state=state)
    with transaction.atomic(), pytest.raises(SignalNotInState):
        services.put_back(signal_id=signal.id, reason="", now=NOW)
    assert state_of(signal) == (state, 0)


@pytest.mark.django_db
def test_an_unknown_signal_is_not_found():
    with transaction.atomic(), pytest.raises(SignalNotFound):
        services.mark_taken(signal_id="sig_unknown", order_id="ord_1", now=NOW)
    with pytest.raises(SignalNotFound):
        selectors.get_signal("sig_unknown")


@pytest.mark.django_db
def test_waiting_signals_of_closed_markets_and_old_main_ones_expire():
    closed = make_signal(market=make_market(closes_at=NOW))
    shut = make_signal(market=make_market(state="resolved"))
    old_main = make_signal(kind="main", made_at=NOW - timedelta(minutes=11))
    old_shadow = make_signal(made_at=NOW - timedelta(minutes=11))
    fresh_main = make_signal(kind="main", made_at=NOW - timedelta(minutes=9))
    taken = make_signal(state="taken", market=make_market(closes_at=NOW))
    assert services.expire_stale(now=NOW, by="test") == 3
    states = [state_of(signal)[0] for signal in (closed, shut, old_main, old_shadow, fresh_main, taken)]
    assert states == ["expired", "expired", "expired", "new", "new", "taken"]
    event = AuditEvent.objects.get(action="signals.expired")
    assert (event.detail["count"], event.detail["market_closed"], event.detail["older"]) == (3, 2, 1)
    assert services.expire_stale(now=NOW, by="test") == 0
    assert AuditEvent.objects.filter(action="signals.expired").count() == 1


@pytest.mark.django_db
def test_lists_and_counts():
    market = make_market()
    make_signal(market=market)
    make_signal(market=market, kind="main", state="suppressed", made_at=NOW + SECOND)
    assert selectors.counts_by_state() == {"main/suppressed": 1, "shadow/new": 1}
    assert [view.portfolio_kind for view in selectors.signals_of_market(market.id)] == ["main", "shadow"]
    row = selectors.signals_table().filter(portfolio_kind="shadow").get()
    assert (row["market__question"], row["outcome__label"]) == (market.question, "Up")


@pytest.mark.django_db
def test_a_market_has_one_suppression_and_one_live_main_signal():
    market = make_market()
    for state in ("suppressed", "new"):
        make_signal(kind="main", state=state, market=market)
    for state in ("suppressed", "taken"):
        with pytest.raises(Exception, match="per_market"), transaction.atomic():
            make_signal(kind="main", state=state, market=market)
    assert Signal.objects.count() == 2
