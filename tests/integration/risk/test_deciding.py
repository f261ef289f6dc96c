"""Decisions on real facts: positions, holds, prices, locks."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.models import Event
from apps.ledger.models import Hold
from apps.portfolio import services as portfolio
from apps.portfolio.errors import PortfolioNotFound
from apps.risk import selectors, services
from apps.risk.errors import LimitsNotFound, RiskDenied, WrongLimit
from apps.risk.models import Decision, Limits, Lock
from apps.trading.models import Order
from tests.integration.markets import making
from tests.integration.trading.desk import BY, NOW, D

pytestmark = pytest.mark.django_db


def decide(desk, now=NOW, **changes):
    with transaction.atomic():
        return services.decide(intent=desk.intent(**changes), now=now, by=BY)


def limit(desk, **changes):
    return services.set_limits(tenant_id=desk.tenant_id, changes=changes, by=BY, now=NOW)


def lose(desk, amount_minor: int, kind: str = "main", now=NOW) -> None:
    """Let a position be settled at a loss, without its ledger entry: decisions look at the course of equity."""
    with transaction.atomic():
        effect = portfolio.apply_fill(
            portfolio_id=desk.portfolio(kind).id,
            market_id=desk.market.id,
            outcome_id=desk.down,
            side="buy",
            units=D(1),
            notional_minor=amount_minor,
            fee_minor=0,
            by=BY,
            now=now,
        )
        portfolio.settle_position(position_id=effect.position_id, paid_minor=0, realised_minor=-amount_minor, by=BY, now=now)


def test_a_decision_keeps_the_figure_and_the_limit_of_every_check(desk):
    said = decide(desk)
    assert (said.is_allowed, said.reasons, said.worst_fee_minor) == (True, (), 350_000)
    decision = Decision.objects.get()
    assert len(decision.checks) == 16
    assert decision.checks["liquidity_too_thin"] == {"is_within": True, "figure": "36440000", "limit": "at least 5000000"}
    assert decision.checks["price_stale"]["figure"] == "0.000 s"
    assert decision.intent["stake_minor"] == 5_000_000
    assert decision.intent["limit_price"] is None


def test_depth_beyond_the_limit_price_does_not_count(desk):
    assert decide(desk, stake_minor=15_600_000, limit_price=D("0.52")).is_allowed
    assert decide(desk, stake_minor=15_600_001, limit_price=D("0.52")).reasons == ("liquidity_too_thin",)


def test_orders_on_their_way_count_as_positions_and_as_money_at_risk(desk):
    making.store(making.listed(2))
    making.store_books(making.book("t2-up"), now=NOW)
    limit(desk, positions_open_max=1, position_size_max_minor=8_000_000)
    desk.place("k1")
    with pytest.raises(RiskDenied) as denied:
        desk.place("k2")
    assert denied.value.reasons == ("position_too_large",)  # 5.00, its worst fee and 5.00 more
    with pytest.raises(RiskDenied) as denied:
        desk.place("k3", outcome_id=desk.down)
    assert denied.value.reasons == ("too_many_positions",)
    desk.fill()
    with pytest.raises(RiskDenied) as denied:
        desk.place("k4", outcome_id=desk.down)
    assert denied.value.reasons == ("too_many_positions",)
    assert Order.objects.count() == 1


def test_one_event_takes_no_more_than_its_share_of_the_bankroll(desk):
    limit(desk, concentration_max_share=0.0001)  # 10 of 100,000
    desk.place("k1")
    with pytest.raises(RiskDenied) as denied:
        desk.place("k2", outcome_id=desk.down)
    assert denied.value.reasons == ("event_concentration",)


@pytest.mark.django_db(transaction=True)
def test_eight_orders_at_once_keep_every_limit_of_the_bankroll(desk):
    limit(desk, position_size_max_minor=12_000_000)
    together = Barrier(8)

    def run(number: int) -> tuple[str, ...]:
        together.wait()
        try:
            desk.place(f"k{number}", stake_minor=3_000_000)
        except RiskDenied as denied:
            return denied.reasons
        finally:
            connection.close()
        return ("placed",)

    with ThreadPoolExecutor(8) as pool:
        endings = Counter(pool.map(run, range(8)))
    assert endings == {("placed",): 3, ("position_too_large",): 5}  # 3 x 3.21 held; a fourth would make 12.63
    assert Hold.objects.filter(state="open").count() == 3
    assert Decision.objects.count() == 8


def test_a_lost_day_stops_the_portfolio_until_midnight_and_spares_the_other(desk):
    lose(desk, 50_000 * 10**6 - 1)
    limit(desk, drawdown_max_share=1)
    assert decide(desk).is_allowed
    lose(desk, 1)
    assert decide(desk).reasons == ("locked", "daily_loss")
    (lock,) = selectors.locks_in_force(tenant_id=desk.tenant_id, now=NOW)
    assert (lock.name, lock.expires_at) == ("daily_loss:main", NOW.replace(hour=0) + timedelta(days=1))
    assert decide(desk, portfolio_kind="shadow").is_allowed
    midnight = NOW.replace(hour=0) + timedelta(days=1)
    assert selectors.locks_in_force(tenant_id=desk.tenant_id, now=midnight) == ()
    assert Event.objects.filter(action="risk.locked").count() == 1


def test_a_drawdown_locks_for_a_day_and_trips_again_while_it_lasts(desk):
    limit(desk, daily_loss_max_minor=10**15)
    lose(desk, 26_000 * 10**6)
    assert decide(desk).reasons == ("locked", "drawdown")
    assert decide(desk).reasons == ("locked", "drawdown")
    assert Lock.objects.get().expires_at == NOW + timedelta(hours=24)
    decide(desk, now=NOW + timedelta(hours=25))
    assert Lock.objects.count() == 2
    assert Lock.objects.filter(lifted_at__isnull=True).count() == 1
    assert Lock.objects.get(lifted_by="expiry").lifted_at == NOW + timedelta(hours=24)


def test_the_kill_switch_stops_everything_until_it_is_rearmed(desk):
    services.halt(tenant_id=desk.tenant_id, reason="drill", by="carol", now=NOW)
    services.halt(tenant_id=desk.tenant_id, reason="drill again", by="carol", now=NOW)
    assert decide(desk).reasons == ("locked",)
    assert decide(desk, portfolio_kind="shadow").reasons == ("locked",)
    assert Lock.objects.count() == 1
    assert services.rearm(tenant_id=desk.tenant_id, reason="over", by="carol", now=NOW) == ("kill_switch",)
    assert services.rearm(tenant_id=desk.tenant_id, reason="over", by="carol", now=NOW) == ()
    assert decide(desk).is_allowed
    assert Event.objects.filter(action="risk.rearmed").count() == 1


def test_someone_elses_portfolio_does_not_exist(desk):
    with pytest.raises(PortfolioNotFound):
        decide(desk, tenant_id="tnt_other")
    with pytest.raises(PortfolioNotFound):
        decide(desk, portfolio_kind="shadow", portfolio_id=desk.portfolio("main").id)
    assert not Decision.objects.exists()


def test_without_limits_nothing_is_allowed(desk):
    Limits.objects.all().delete()
    with pytest.raises(LimitsNotFound):
        desk.place()
    assert not Order.objects.exists()


def test_limits_are_made_once_and_changes_are_audited(desk):
    first = selectors.get_limits(desk.tenant_id)
    assert first.position_size_max_minor == 1_800 * 10**6
    assert first.daily_loss_max_minor == 50_000 * 10**6
    assert (first.positions_open_max, first.concentration_max_share, first.trade_max_minor) == (3, 0.40, 100_000 * 10**6)
    changed = limit(desk, positions_open_max=5)
    assert changed.positions_open_max == 5
    assert services.ensure_limits(tenant_id=desk.tenant_id, by=BY, now=NOW) == changed
    event = Event.objects.get(action="limits.changed")
    assert event.detail == {"positions_open_max": {"before": 3, "after": 5}}
    limit(desk, positions_open_max=5)
    assert Event.objects.filter(action="limits.changed").count() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no_such_limit", 1),
        ("id", 1),
        ("tenant_id", 1),
        ("trade_max_minor", -1),
        ("trade_max_minor", 1.5),
        ("concentration_max_share", 1.01),
        ("spread_max", float("nan")),
        ("price_age_max_s", float("inf")),
    ],
)
def test_a_wrong_limit_is_refused_by_name_and_changes_nothing(desk, name, value):
    before = selectors.get_limits(desk.tenant_id)
    with pytest.raises(WrongLimit) as refused:
        limit(desk, positions_open_max=9, **{name: value})
    assert refused.value.field == name
    assert selectors.get_limits(desk.tenant_id) == before
    assert not Event.objects.filter(action="limits.changed").exists()


def test_decisions_cannot_be_changed(desk):
    decide(desk)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Decision.objects.update(is_allowed=False)
    assert Decision.objects.get().is_allowed


def test_the_status_shows_limits_locks_and_standing(desk):
    desk.place()
    services.halt(tenant_id=desk.tenant_id, reason="drill", by="carol", now=NOW)
    status = selectors.status(tenant_id=desk.tenant_id, now=NOW)
    main = status.portfolios[0]
    assert [lock.name for lock in status.locks] == ["kill_switch"]
    assert (main.kind, main.held_minor, main.exposure_minor, main.positions_open) == ("main", 5_350_000, 5_350_000, 1)
    assert main.available_minor == 100_000 * 10**6 - 5_350_000
    assert (main.by_category_minor, main.day_change_minor) == ({"crypto": 5_350_000}, 0)
