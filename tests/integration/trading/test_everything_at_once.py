"""Placing, filling, reconciling and settling side by side: no deadlock, no lost money; and the plan of the hot query."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection

from apps.markets import selectors as markets
from apps.portfolio import selectors as portfolios
from apps.risk import services as risk
from apps.risk.errors import RiskDenied
from apps.settlement import services as settlement
from apps.settlement.models import Settlement
from apps.trading import services as trading
from apps.trading.models import Fill, Order
from apps.trading.services.leasing import claim_next
from tests.integration.markets import making
from tests.integration.trading.desk import AFTER_LATENCY, BY, NOW, D

MARKETS = 6
ROUNDS = 4


@pytest.mark.django_db(transaction=True)
def test_the_whole_flow_side_by_side_keeps_its_books(desk):
    risk.set_limits(tenant_id=desk.tenant_id, changes={"positions_open_max": 100}, by=BY, now=NOW)
    numbers = range(2, 2 + MARKETS)
    making.store(*(making.listed(number) for number in numbers))
    making.store_books(*(making.book(f"t{number}-up") for number in numbers), now=NOW)
    rows = {row["source_key"]: row["id"] for row in markets.markets_table().filter(source_key__startswith="0x")}
    ids = [rows[f"0x{number}"] for number in numbers]
    resolved_at = desk.market.closes_at + timedelta(minutes=10)
    together = Barrier(4)

    def buy(number: int) -> None:
        for turn in range(ROUNDS):
            market = markets.get_market(ids[(number + turn) % MARKETS])
            desk.place(f"b{number}-{turn}", market_id=market.id, outcome_id=market.outcomes[0].id, stake_minor=3_000_000)

    def work(number: int) -> None:
        for _ in range(ROUNDS * 2):
            desk.work(NOW, owner=f"w{number}")
            desk.work(NOW + AFTER_LATENCY, owner=f"w{number}")
            trading.reconcile(now=NOW, by=BY)

    def end(number: int) -> None:
        making.store(*(making.won(each) for each in numbers), now=resolved_at)
        for _ in range(ROUNDS):
            settlement.settle_due(now=resolved_at, by=BY)

    def run(act) -> str:
        together.wait()
        try:
            act(int(act is work))
        except RiskDenied as denied:
            return ",".join(denied.reasons)  # a market that ended meanwhile takes no orders
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(4) as pool:
        endings = list(pool.map(run, (buy, work, work, end)))
    assert endings[1:] == ["", "", ""]
    assert endings[0] in ("", "market_not_open")
    desk.work(resolved_at)
    desk.work(resolved_at + timedelta(seconds=1))
    settlement.settle_due(now=resolved_at, by=BY)
    assert trading_is_over()
    assert Settlement.objects.filter(reversed_at__isnull=True).count() == MARKETS
    assert portfolios.open_positions(tenant_id=desk.tenant_id) == ()
    assert desk.held_minor("main") == 0
    units = sum(Fill.objects.values_list("units", flat=True), D(0))
    spent = sum(fill.notional_minor + fill.fee_minor for fill in Fill.objects.all())
    gained = desk.balances("main")["cash"] + desk.balances("main")["capital"]
    assert abs(gained - (units * 10**6 - spent)) <= MARKETS  # every win pays 1 a unit, rounded down per position


def trading_is_over() -> bool:
    return not Order.objects.exclude(state__in=("filled", "partly_filled", "rejected", "cancelled")).exists()


@pytest.mark.django_db
def test_looking_for_due_orders_reads_the_index_of_unfinished_ones(desk, django_assert_num_queries):
    desk.place()
    template = Order.objects.values().get()
    finished = {"state": "filled", "next_try_at": None, "finished_at": NOW}
    Order.objects.bulk_create(
        Order(**{**template, **finished, "id": f"ord_{number}", "idempotency_key": f"n{number}"}) for number in range(3_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE trading_order")
        cursor.execute(
            "EXPLAIN SELECT id FROM trading_order WHERE state IN ('accepted', 'sent') AND next_try_at <= now() "
            "AND (lease_until IS NULL OR lease_until <= now()) ORDER BY next_try_at, id LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "order_unfinished" in plan, plan
    assert "Seq Scan" not in plan, plan
    assert claim_next(states=("accepted",), owner="w", now=NOW) is not None
