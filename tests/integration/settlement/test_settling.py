"""Results become money, once; wrong results are undone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.models import Event
from apps.ledger.models import Entry
from apps.markets.models import Result
from apps.portfolio import selectors as portfolios
from apps.portfolio.errors import PositionStateWrong
from apps.portfolio.models import Position
from apps.settlement import selectors, services
from apps.settlement.errors import AlreadyReversed, NoResult, OrdersOnTheirWay, PayoutMissing, SettlementNotFound
from apps.settlement.models import Settlement, SettlementLine
from tests.integration.markets import making
from tests.integration.trading.desk import BY, CAPITAL_MINOR, NOW, D, Desk, open_desk

pytestmark = pytest.mark.django_db

COST, FEE, UNITS = 5_000_000, 168_000, D("9.615384")
WON = 9_615_384


def hold_up(desk: Desk) -> None:
    """Let the shadow portfolio hold 9.615384 units of Up for 5 USDC and a fee of 0.168."""
    desk.signal()
    desk.take()
    desk.fill()


def settle(now) -> int:
    return services.settle_due(now=now, by=BY)


def equity(desk: Desk) -> int:
    return portfolios.equity(desk.portfolio().id, now=NOW).equity_minor


def test_a_win_pays_units_and_books_the_gain(desk):
    hold_up(desk)
    assert settle(desk.resolve(("1", "0"))) == 1
    assert desk.balances() == {
        "cash": CAPITAL_MINOR - COST - FEE + WON,
        "positions": 0,
        "fees": FEE,
        "result": -(WON - COST),
        "capital": -CAPITAL_MINOR,
    }
    settlement, line = Settlement.objects.get(), SettlementLine.objects.get()
    assert (settlement.kind, settlement.revision, settlement.paid_minor) == ("final", 1, WON)
    assert settlement.realised_minor == line.realised_minor == WON - COST - FEE
    assert (line.units, line.payout, line.cost_minor, line.fees_minor) == (UNITS, D(1), COST, FEE)
    assert Entry.objects.get(reference=f"settlement:{settlement.id}:{line.position_id}").id == line.entry_id
    position = Position.objects.get()
    assert (position.state, position.units, position.cost_minor, position.realised_minor) == ("closed", 0, 0, WON - COST - FEE)
    assert equity(desk) == CAPITAL_MINOR + position.realised_minor == desk.balances()["cash"]
    assert Event.objects.filter(action="settlement.settled", subject=settlement.id).count() == 1


def test_a_loss_pays_nothing_and_books_the_cost(desk):
    hold_up(desk)
    assert settle(desk.resolve(("0", "1"))) == 1
    balances = desk.balances()
    assert (balances["cash"], balances["positions"], balances["result"]) == (CAPITAL_MINOR - COST - FEE, 0, COST)
    assert Position.objects.get().realised_minor == -COST - FEE


def test_a_part_payout_is_rounded_down(desk):
    hold_up(desk)
    settle(desk.resolve(("0.5", "0.5")))
    assert desk.balances()["cash"] == CAPITAL_MINOR - COST - FEE + 4_807_692


def test_a_void_market_gives_stake_and_fees_back(desk):
    hold_up(desk)
    moment = desk.market.closes_at + timedelta(minutes=10)
    Result.objects.create(market_id=desk.market.id, revision=1, kind="void", payouts={}, evidence={}, observed_at=moment)
    assert settle(moment) == 1
    assert desk.balances() == {"cash": CAPITAL_MINOR, "positions": 0, "fees": 0, "result": 0, "capital": -CAPITAL_MINOR}
    assert (Settlement.objects.get().kind, Settlement.objects.get().realised_minor) == ("void", 0)
    assert equity(desk) == CAPITAL_MINOR


def test_both_portfolios_are_settled_together(desk):
    hold_up(desk)
    desk.place("main", outcome_id=desk.down, now=NOW + timedelta(seconds=1))
    desk.fill(NOW + timedelta(seconds=1))
    assert settle(desk.resolve(("1", "0"))) == 1
    assert SettlementLine.objects.count() == 2
    assert desk.balances("shadow")["result"] == -(WON - COST)
    assert desk.balances("main")["result"] == COST
    assert not Position.objects.filter(state="open").exists()


def test_a_market_without_positions_is_recorded_as_settled_for_every_tenant(desk):
    open_desk("bob", with_market=False)
    moment = desk.resolve()
    assert selectors.pending(now=moment) == 2
    assert settle(moment) == 2
    assert selectors.pending(now=moment) == 0
    assert (Settlement.objects.count(), SettlementLine.objects.count()) == (2, 0)
    assert Entry.objects.filter(kind="settlement").count() == 0
    assert settle(moment) == 0


def test_markets_past_their_close_without_a_result_are_pending(desk):
    assert selectors.pending(now=desk.market.closes_at - timedelta(seconds=1)) == 0
    assert selectors.pending(now=desk.market.closes_at) == 1
    assert settle(desk.market.closes_at) == 0


def test_a_market_with_orders_on_their_way_waits(desk):
    desk.place()
    desk.work()
    moment = desk.resolve()
    assert settle(moment) == 0
    assert not Settlement.objects.exists()
    with pytest.raises(OrdersOnTheirWay):
        services.settle_market(market_id=desk.market.id, now=moment, by=BY)
    desk.work(moment)
    assert settle(moment) == 1
    assert Settlement.objects.get().realised_minor == WON - COST - FEE


def test_settling_again_changes_nothing(desk):
    hold_up(desk)
    moment = desk.resolve()
    settle(moment)
    before = desk.balances()
    assert settle(moment) == 0
    assert services.settle_market(market_id=desk.market.id, now=moment, by=BY) == ()
    assert desk.balances() == before
    assert (Settlement.objects.count(), Entry.objects.filter(kind="settlement").count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_eight_settlers_settle_once(desk):
    hold_up(desk)
    moment = desk.resolve()
    together = Barrier(8)

    def run(_: int) -> int:
        together.wait()
        try:
            return settle(moment)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(run, range(8))) == 1
    assert (Settlement.objects.count(), SettlementLine.objects.count()) == (1, 1)
    assert desk.balances()["cash"] == CAPITAL_MINOR - COST - FEE + WON


def test_a_restated_result_reverses_and_settles_again(desk):
    hold_up(desk)
    settle(desk.resolve(("1", "0")))
    later = desk.market.closes_at + timedelta(minutes=20)
    desk.resolve(("0", "1"), at=later)
    assert settle(later) == 1
    first, second = Settlement.objects.order_by("revision")
    assert (first.revision, first.reversed_at, second.revision, second.reversed_at) == (1, later, 2, None)
    assert (first.realised_minor, second.realised_minor) == (WON - COST - FEE, -COST - FEE)
    assert desk.balances()["cash"] == CAPITAL_MINOR - COST - FEE
    assert desk.balances()["result"] == COST
    assert Position.objects.get().realised_minor == -COST - FEE
    assert Entry.objects.filter(kind="settlement").count() == 2
    assert Entry.objects.filter(kind="reversal").count() == 1
    assert equity(desk) == desk.balances()["cash"]
    assert settle(later) == 0


def test_a_reversal_by_hand_reopens_the_position_and_waits_for_a_person(desk):
    hold_up(desk)
    moment = desk.resolve()
    before = desk.balances()
    settle(moment)
    settlement = Settlement.objects.get()
    services.reverse_settlement(settlement_id=settlement.id, reason="wrong source", now=moment, by=BY)
    assert desk.balances() == before
    position = Position.objects.get()
    assert (position.state, position.units, position.cost_minor, position.fees_minor, position.realised_minor) == (
        "open",
        UNITS,
        COST,
        FEE,
        0,
    )
    assert Event.objects.filter(action="settlement.reversed", subject=settlement.id).count() == 1
    assert settle(moment) == 0
    assert len(services.settle_market(market_id=desk.market.id, now=moment, by=BY)) == 1
    assert desk.balances()["cash"] == CAPITAL_MINOR - COST - FEE + WON


def test_a_settlement_is_reversed_once(desk):
    hold_up(desk)
    moment = desk.resolve()
    settle(moment)
    settlement = Settlement.objects.get()
    services.reverse_settlement(settlement_id=settlement.id, reason="drill", now=moment, by=BY)
    before = desk.balances()
    with pytest.raises(AlreadyReversed):
        services.reverse_settlement(settlement_id=settlement.id, reason="again", now=moment, by=BY)
    with pytest.raises(SettlementNotFound):
        services.reverse_settlement(settlement_id="stl_none", reason="drill", now=moment, by=BY)
    assert desk.balances() == before


def test_a_result_that_forgets_an_outcome_is_loud_and_holds_up_no_other_market(desk):
    hold_up(desk)
    making.store(making.listed(2))
    moment = desk.market.closes_at + timedelta(minutes=10)
    wrong = {desk.down: "1"}
    Result.objects.create(market_id=desk.market.id, revision=1, kind="final", payouts=wrong, evidence={}, observed_at=moment)
    making.store(making.won(2), now=moment)
    before = desk.balances()
    with pytest.raises(PayoutMissing):
        settle(moment)
    assert desk.balances() == before
    assert Settlement.objects.get().market.source_key == "0x2"
    assert Position.objects.get().state == "open"


def test_nothing_settles_without_a_result(desk):
    with pytest.raises(NoResult):
        services.settle_market(market_id=desk.market.id, now=NOW, by=BY)
    assert not Settlement.objects.exists()


def test_the_plan_says_what_settling_would_pay_and_writes_nothing(desk):
    hold_up(desk)
    assert selectors.plan(market_id=desk.market.id, tenant_id=desk.tenant_id) == ()
    desk.resolve()
    (line,) = selectors.plan(market_id=desk.market.id, tenant_id=desk.tenant_id)
    assert (line.paid_minor, line.realised_minor, line.units) == (WON, WON - COST - FEE, UNITS)
    assert not Settlement.objects.exists()


def test_lines_cannot_be_changed_and_one_settlement_holds_per_market_and_tenant(desk):
    hold_up(desk)
    settle(desk.resolve())
    settlement = Settlement.objects.get()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        SettlementLine.objects.update(paid_minor=1)
    with pytest.raises(DatabaseError, match="one_settlement_in_force"), transaction.atomic():
        Settlement.objects.create(
            tenant_id=settlement.tenant_id,
            market_id=settlement.market_id,
            result_id="res_x",
            revision=9,
            kind="final",
            settled_at=NOW,
            by=BY,
        )
    assert Settlement.objects.count() == 1


def test_a_position_is_not_settled_twice(desk):
    hold_up(desk)
    settle(desk.resolve())
    from apps.portfolio import services as portfolio

    position = Position.objects.get()
    with pytest.raises(PositionStateWrong), transaction.atomic():
        portfolio.settle_position(position_id=position.id, paid_minor=1, realised_minor=1, by=BY, now=NOW)
    assert Position.objects.get().realised_minor == position.realised_minor


def test_many_untouched_markets_are_settled_at_once_with_one_event(desk, django_assert_max_num_queries):
    making.store(*(making.listed(number) for number in range(2, 42)))
    moment = desk.market.closes_at + timedelta(minutes=10)
    making.store(*(making.won(number) for number in range(2, 42)), now=moment)
    with django_assert_max_num_queries(60):
        assert settle(moment) == 40
    assert Settlement.objects.filter(reversed_at__isnull=True).count() == 40
    event = Event.objects.get(action="settlement.untouched")
    assert event.detail["count"] == 40
    assert settle(moment) == 0
    making.store(making.won(2, ("0", "1")), now=moment + timedelta(minutes=1))
    assert settle(moment + timedelta(minutes=1)) == 1
    assert Settlement.objects.filter(reversed_at__isnull=False).count() == 1
