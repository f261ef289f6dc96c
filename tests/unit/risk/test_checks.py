"""The hard limits, one by one and all together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.risk.checks import CHECKS, evaluate
from apps.risk.situation import MarketFacts, MoneyFacts, Situation, worst_fee_minor
from apps.risk.types import LimitsView

D = Decimal
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MILLION = 10**6

LIMITS = LimitsView(
    tenant_id="tnt_1",
    position_size_max_minor=1_800 * MILLION,
    positions_open_max=3,
    shadow_positions_open_max=500,
    daily_loss_max_minor=50_000 * MILLION,
    concentration_max_share=0.40,
    trade_max_minor=100_000 * MILLION,
    drawdown_max_share=0.25,
    category_max_share=0.80,
    price_age_max_s=300,
    spread_max=0.10,
    close_min_s=15,
)
MARKET = MarketFacts(
    state="open",
    accepts_orders=True,
    closes_at=NOW + timedelta(minutes=5),
    min_units=D(5),
    bid=D("0.50"),
    ask=D("0.52"),
    price_age_s=1.0,
    depth_minor=10_000 * MILLION,
    depth_units=D(10_000),
)
MONEY = MoneyFacts(
    available_minor=100_000 * MILLION,
    equity_minor=100_000 * MILLION,
    peak_minor=100_000 * MILLION,
    day_start_minor=100_000 * MILLION,
    units_held=D(0),
    positions_open=0,
    outcome_minor=0,
    event_minor=0,
    category_minor=0,
)
GOOD = Situation(
    now=NOW,
    speed=1.0,
    currency="USDC",
    kind="main",
    side="buy",
    stake_minor=100 * MILLION,
    units=D(0),
    worst_fee_minor=7 * MILLION,
    limits=LIMITS,
    market=MARKET,
    money=MONEY,
    locks=(),
)


def refusals(situation):
    return [judged.code for judged in evaluate(situation, CHECKS) if not judged.finding.is_within]


def market(**changes):
    return replace(GOOD, market=replace(MARKET, **changes))


def money(**changes):
    return replace(GOOD, money=replace(MONEY, **changes))


def test_a_good_situation_passes_every_check():
    assert refusals(GOOD) == []
    assert len(evaluate(GOOD, CHECKS)) == 16


@pytest.mark.parametrize(
    ("code", "at_limit", "over"),
    [
        ("size", replace(GOOD, stake_minor=3 * MILLION), replace(GOOD, stake_minor=0)),
        ("locked", GOOD, replace(GOOD, locks=("kill_switch",))),
        ("market_not_open", GOOD, market(state="closed")),
        ("market_not_open", GOOD, market(accepts_orders=False)),
        ("close_too_near", market(closes_at=NOW + timedelta(seconds=15.001)), market(closes_at=NOW + timedelta(seconds=15))),
        ("price_stale", market(price_age_s=300.0), market(price_age_s=300.001)),
        ("price_stale", GOOD, market(price_age_s=None)),
        ("spread_too_wide", market(bid=D("0.42")), market(bid=D("0.41"))),
        ("spread_too_wide", GOOD, market(bid=None)),
        ("liquidity_too_thin", market(depth_minor=100 * MILLION), market(depth_minor=100 * MILLION - 1)),
        ("under_venue_minimum", market(min_units=D(192)), market(min_units=D(193))),
        ("position_too_large", money(outcome_minor=1_700 * MILLION), money(outcome_minor=1_700 * MILLION + 1)),
        ("too_many_positions", money(positions_open=2), money(positions_open=3)),
        ("event_concentration", money(event_minor=39_893 * MILLION), money(event_minor=39_893 * MILLION + 1)),
        ("category_concentration", money(category_minor=79_893 * MILLION), money(category_minor=79_893 * MILLION + 1)),
        ("daily_loss", money(day_start_minor=150_000 * MILLION - 1), money(day_start_minor=150_000 * MILLION)),
        ("drawdown", money(peak_minor=133_333_333_332), money(peak_minor=133_333_333_336)),
        ("balance_too_small", money(available_minor=107 * MILLION), money(available_minor=107 * MILLION - 1)),
    ],
)
def test_each_limit_holds_exactly_where_it_is_set(code, at_limit, over):
    assert code not in refusals(at_limit)
    assert code in refusals(over)


def test_a_single_trade_has_its_own_limit():
    large = replace(
        GOOD,
        stake_minor=100_000 * MILLION,
        limits=replace(LIMITS, position_size_max_minor=10**15, concentration_max_share=1.0, category_max_share=1.0),
    )
    assert "trade_too_large" not in refusals(large)
    assert "trade_too_large" in refusals(replace(large, stake_minor=100_000 * MILLION + 1))


def test_the_shadow_portfolio_has_its_own_count_of_positions():
    many = money(positions_open=499)
    assert refusals(replace(many, kind="shadow")) == []
    assert refusals(replace(many, kind="main")) == ["too_many_positions"]
    assert refusals(replace(money(positions_open=500), kind="shadow")) == ["too_many_positions"]


def test_ages_and_the_time_to_close_shrink_with_the_worlds_speed():
    fast = replace(GOOD, speed=60.0)
    assert refusals(replace(fast, market=replace(MARKET, price_age_s=5.0, closes_at=NOW + timedelta(seconds=0.26)))) == []
    stale = replace(fast, market=replace(MARKET, price_age_s=5.1, closes_at=NOW + timedelta(seconds=0.25)))
    assert refusals(stale) == ["close_too_near", "price_stale"]


def test_getting_out_is_stopped_by_locks_and_markets_only():
    selling = replace(
        GOOD,
        side="sell",
        stake_minor=0,
        units=D(5),
        worst_fee_minor=0,
        money=replace(MONEY, units_held=D(5), positions_open=99, available_minor=0, peak_minor=10**15, day_start_minor=10**15),
        market=replace(MARKET, closes_at=NOW, bid=None, depth_units=D(0)),
    )
    assert refusals(selling) == []
    assert refusals(replace(selling, units=D("5.000001"))) == ["size"]
    assert refusals(replace(selling, locks=("kill_switch",))) == ["locked"]
    assert refusals(replace(selling, market=replace(MARKET, price_age_s=None))) == ["price_stale"]


def test_every_check_is_run_even_when_an_earlier_one_said_no():
    bad = replace(GOOD, stake_minor=0, locks=("kill_switch", "broken"), market=replace(MARKET, state="void", ask=None))
    assert refusals(bad) == ["size", "locked", "market_not_open", "spread_too_wide", "under_venue_minimum"]


def test_codes_are_unique():
    assert len({check.code for check in CHECKS}) == len(CHECKS) == 16


money_amounts = st.integers(0, 10**12)
situations = st.builds(
    lambda stake, fee, equity, available, event, category, outcome, open_: replace(
        GOOD,
        stake_minor=stake,
        worst_fee_minor=fee,
        money=replace(
            MONEY,
            equity_minor=equity,
            available_minor=available,
            event_minor=event,
            category_minor=category,
            outcome_minor=outcome,
            positions_open=open_,
        ),
    ),
    *(money_amounts,) * 7,
    st.integers(0, 5),
)


@given(situations)
def test_what_is_allowed_keeps_every_hard_limit(situation):
    if refusals(situation):
        return
    held = situation.money
    outlay = situation.stake_minor + situation.worst_fee_minor
    assert 0 < situation.stake_minor <= LIMITS.trade_max_minor
    assert held.outcome_minor + situation.stake_minor <= LIMITS.position_size_max_minor
    assert outlay <= held.available_minor
    assert held.event_minor + outlay <= held.equity_minor * 0.4
    assert held.category_minor + outlay <= held.equity_minor * 0.8
    assert held.positions_open < 3


@given(situations, st.integers(1, 10**9))
def test_a_larger_stake_is_never_allowed_where_a_smaller_one_was_denied_for_money(situation, more):
    for_money = {"position_too_large", "event_concentration", "category_concentration", "balance_too_small", "trade_too_large"}
    smaller = for_money & set(refusals(situation))
    larger = for_money & set(refusals(replace(situation, stake_minor=situation.stake_minor + more)))
    assert smaller <= larger


@given(
    st.integers(1, 10**12),
    st.decimals("0", "0.2", places=4),
    st.decimals("0.01", "0.99", places=2),
)
def test_no_price_makes_the_fee_exceed_the_worst_fee(stake_minor, rate, price):
    stake = D(stake_minor) / MILLION
    fee = (stake / price * rate * price * (1 - price)).quantize(D("0.00001"))
    assert fee * MILLION <= worst_fee_minor(stake_minor, rate, currency="USDC")
