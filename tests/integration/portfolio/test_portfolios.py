"""Portfolios, positions and the course of equity."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from django.db import DatabaseError, transaction

from apps.audit.models import Event
from apps.ledger import selectors as ledger
from apps.ledger.models import Account, Entry
from apps.portfolio import selectors, services
from apps.portfolio.errors import NotEnoughUnits, PortfolioNotFound, PositionNotFound
from apps.portfolio.models import EquityPoint, Portfolio, Position
from apps.portfolio.types import PortfolioKind, Side
from tests.integration.trading.desk import BY, CAPITAL_MINOR, NOW, D

pytestmark = pytest.mark.django_db


def fill(desk, side: Side = "buy", units: str = "10", notional_minor: int = 5_000_000, fee_minor: int = 100, now=NOW):
    with transaction.atomic():
        return services.apply_fill(
            portfolio_id=desk.portfolio("main").id,
            market_id=desk.market.id,
            outcome_id=desk.up,
            side=side,
            units=D(units),
            notional_minor=notional_minor,
            fee_minor=fee_minor,
            by=BY,
            now=now,
        )


def test_portfolios_are_opened_once_with_their_capital(desk):
    capital: dict[PortfolioKind, int] = {"main": 7, "shadow": 7}
    again = services.ensure_portfolios(tenant_id=desk.tenant_id, capital_minor=capital, by=BY, now=NOW)
    assert [portfolio.kind for portfolio in again] == ["main", "shadow"]
    assert (Portfolio.objects.count(), Account.objects.count(), Entry.objects.filter(kind="capital").count()) == (2, 10, 2)
    assert desk.balances("main")["cash"] == desk.balances("shadow")["cash"] == CAPITAL_MINOR
    assert Event.objects.filter(action="portfolio.created").count() == 2
    assert not ledger.get_account(tenant_id=desk.tenant_id, code="main:cash").held_minor
    assert set(Account.objects.filter(may_go_negative=False).values_list("code", flat=True)) == {"main:cash", "shadow:cash"}


def test_a_sell_of_more_than_is_held_is_refused_and_changes_nothing(desk):
    with pytest.raises(NotEnoughUnits):
        fill(desk, side="sell", units="1")
    assert not Position.objects.exists()
    fill(desk, units="10")
    before = Position.objects.values().get()
    with pytest.raises(NotEnoughUnits):
        fill(desk, side="sell", units="10.000001")
    assert Position.objects.values().get() == before
    assert EquityPoint.objects.filter(cause="fill").count() == 1


def test_selling_everything_closes_the_position_and_buying_again_reopens_it(desk):
    first = fill(desk)
    fill(desk, side="sell", notional_minor=6_000_000)
    position = Position.objects.get()
    assert (position.state, position.closed_at, position.realised_minor) == ("closed", NOW, 999_800)
    assert fill(desk, now=NOW + timedelta(minutes=1)).position_id == first.position_id
    position.refresh_from_db()
    assert (position.state, position.closed_at, position.units, position.realised_minor) == ("open", None, D(10), 999_800)


def test_the_course_of_equity_is_what_the_ledger_says_and_remembers_its_peak(desk):
    fill(desk)
    fill(desk, side="sell", units="5", notional_minor=4_000_000, now=NOW + timedelta(minutes=1))
    fill(desk, side="sell", units="5", notional_minor=1_000_000, now=NOW + timedelta(minutes=2))
    portfolio_id = desk.portfolio("main").id
    steps = selectors.equity_series(portfolio_id, since=NOW, points=10)
    assert [step.equity_minor - CAPITAL_MINOR for step in steps] == [0, -100, 1_499_800, -300]
    assert [step.at for step in selectors.equity_series(portfolio_id, since=NOW, points=2)] == [
        NOW + timedelta(minutes=1),
        NOW + timedelta(minutes=2),
    ]
    equity = selectors.equity(portfolio_id, now=NOW)
    assert (equity.equity_minor, equity.peak_minor) == (CAPITAL_MINOR - 300, CAPITAL_MINOR + 1_499_800)
    assert equity.day_start_minor == CAPITAL_MINOR
    tomorrow = selectors.equity(portfolio_id, now=NOW + timedelta(days=1))
    assert tomorrow.day_start_minor == CAPITAL_MINOR - 300


def test_exposure_is_the_cost_with_fees_of_open_positions(desk):
    fill(desk)
    exposure = selectors.exposure(desk.portfolio("main").id)
    assert (exposure.total_minor, exposure.positions_open) == (5_000_100, 1)
    assert exposure.by_event_minor == {desk.market.event_id: 5_000_100}
    assert exposure.by_category_minor == {"crypto": 5_000_100}
    assert selectors.exposure(desk.portfolio("shadow").id).total_minor == 0


def test_random_orders_keep_positions_equity_and_ledger_in_step(desk):
    dice = Random(7)
    moment = NOW
    for number in range(12):
        moment += timedelta(seconds=2)
        held = selectors.position_of(desk.portfolio("main").id, desk.up)
        bid = D(dice.randint(30, 60)) / 100
        desk.quote(bid=str(bid), ask=str(bid + D("0.02")), at=moment)
        if held is not None and held.units > 1 and dice.random() < 0.5:
            units = (held.units * D(dice.randint(1, 100)) / 100).quantize(D("0.000001"))
            desk.place(f"k{number}", now=moment, side="sell", stake_minor=None, units=min(units, D(29)))
        else:
            desk.place(f"k{number}", now=moment, stake_minor=dice.randint(4_000_000, 9_000_000))
        desk.fill(moment)
        balances, position = desk.balances("main"), Position.objects.get()
        equity = selectors.equity(desk.portfolio("main").id, now=moment).equity_minor
        assert equity == balances["cash"] + balances["positions"]
        assert position.cost_minor == balances["positions"]
        assert balances["cash"] == CAPITAL_MINOR + position.realised_minor - position.cost_minor - position.fees_minor
    settled_at = desk.resolve(("1", "0"))
    from apps.settlement import services as settlement

    assert settlement.settle_due(now=settled_at, by=BY) == 1
    position = Position.objects.get()
    assert desk.balances("main")["cash"] == CAPITAL_MINOR + position.realised_minor
    assert desk.balances("main")["positions"] == 0


def test_what_is_not_there_is_said_plainly(desk):
    with pytest.raises(PortfolioNotFound):
        selectors.get_portfolio("tnt_none", "main")
    with pytest.raises(PositionNotFound), transaction.atomic():
        services.settle_position(position_id="pos_none", paid_minor=0, realised_minor=0, by=BY, now=NOW)
    assert selectors.position_of(desk.portfolio("main").id, desk.up) is None
    assert selectors.open_positions(tenant_id=desk.tenant_id) == ()


def test_the_course_of_equity_cannot_be_changed(desk):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        EquityPoint.objects.update(equity_minor=0)
    assert EquityPoint.objects.count() == 2
