"""The lists of the API: exact shapes, filters, order, pages, and who may read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.settlement import services as settlement
from tests.integration.trading.desk import BY, NOW, open_desk

LISTS = (
    *("sources", "markets", "outcomes", "quotes", "instruments", "candles", "forecasts", "scores", "signals", "portfolios"),
    *(
        "positions",
        "orders",
        "fills",
        "limits",
        "ledger/accounts",
        "ledger/entries",
        "settlements",
        "audit",
        "backups",
        "tenants",
        "articles",
        "dead-letters",
        "schedules",
    ),
)


@pytest.fixture
def desk(db, settings):
    """A desk that bought once and settled."""
    settings.SCHEDULE_SPEED = 1.0
    desk = open_desk()
    desk.signal()
    desk.take()
    desk.fill()
    desk.resolve()
    settlement.settle_due(now=NOW + timedelta(hours=2), by=BY)
    return desk


def results(client, path):
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


@pytest.mark.parametrize("name", LISTS)
def test_each_list_is_for_staff_and_ops(name, desk, staff, stranger, nobody, ops):
    assert [client.get(f"/api/v1/{name}/").status_code for client in (nobody, stranger, staff, ops)] == [401, 403, 200, 200]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in LISTS
        if name
        not in ("sources", "backups", "instruments", "candles", "forecasts", "scores", "articles", "dead-letters", "schedules")
    ],
)
def test_each_row_is_found_alone_as_in_its_list(name, desk, ops):
    row = results(ops, f"{name}/")[0]
    assert ops.get(f"/api/v1/{name}/{row['id']}/").json() == row


@pytest.mark.parametrize("name", LISTS)
def test_what_is_not_there_is_a_plain_404(name, desk, ops):
    missing = "999999999" if name in ("quotes", "candles", "audit") else "mkt_none"
    answer = ops.get(f"/api/v1/{name}/{missing}/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_market_has_exactly_these_fields(desk, ops):
    (market,) = results(ops, "markets/")
    volatile = {name: market.pop(name) for name in ("id", "event_id", "created_at", "last_seen_at")}
    assert volatile["id"] == desk.market.id
    assert market == {
        "event_title": "Bitcoin 1", "source": "polymarket_gamma", "source_key": "0x1", "slug": "btc-1",
        "question": "Bitcoin up in 1?", "category": "crypto", "pays": "binary", "instrument_id": None, "symbol": None,
        "threshold": None, "horizon_bars": None, "state": "resolved", "accepts_orders": False, "opens_at": "2026-11-22T12:00:00Z",
        "closes_at": "2026-11-22T12:15:00Z", "fee_rate": "0.07", "tick_size": "0.01", "min_units": "5", "volume": "123.45",
    }  # fmt: skip


def test_money_and_prices_are_decimal_strings_and_times_are_utc(desk, ops):
    (fill,) = results(ops, "fills/")
    assert (fill["units"], fill["price"], fill["notional"], fill["fee"]) == ("9.615384", "0.52", "5.000000", "0.168000")
    assert fill["filled_at"].endswith("Z")
    (settled,) = results(ops, "settlements/")
    assert (settled["paid"], settled["realised"], settled["currency"]) == ("9.615384", "4.447384", "USDC")
    (order,) = results(ops, "orders/")
    assert (order["stake"], order["units"], order["limit_price"], order["state"]) == ("5.000000", None, None, "filled")


def test_an_entry_shows_its_lines_which_sum_to_nothing(desk, ops):
    entries = results(ops, "ledger/entries/")
    assert {entry["kind"] for entry in entries} >= {"fill", "settlement"}
    for entry in entries:
        assert sum(int(line["amount"].replace(".", "")) for line in entry["lines"]) == 0
        assert set(entry["lines"][0]) == {"account_id", "code", "currency", "amount"}


def test_accounts_show_what_is_available(desk, ops):
    (cash,) = results(ops, "ledger/accounts/?code=shadow:cash")
    assert cash["balance"] == cash["available"] == "100004.447384"
    assert cash["held"] == "0.000000"


def test_filters_narrow_a_list(desk, ops):
    assert len(results(ops, f"outcomes/?market={desk.market.id}")) == 2
    assert results(ops, "outcomes/?market=mkt_other") == []
    assert len(results(ops, "markets/?state=resolved&accepts_orders=false&closes_before=2026-11-22T13:00:00Z")) == 1
    assert results(ops, "markets/?closes_since=2026-11-22T13:00:00Z") == []
    assert len(results(ops, "settlements/?is_reversed=false")) == 1
    assert results(ops, "settlements/?is_reversed=true") == []
    assert [row["code"] for row in results(ops, "ledger/accounts/?code=main:cash")] == ["main:cash"]
    cash = results(ops, "ledger/accounts/?code=shadow:cash")[0]["id"]
    assert len(results(ops, f"ledger/entries/?account={cash}")) == 3  # capital, fill, settlement


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=nonsense", "state"),
        ("accepts_orders=maybe", "accepts_orders"),
        ("closes_since=yesterday", "closes_since"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=\u0663", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("cursor=%%%", "cursor"),
        ("cursor=cD1ub3QrYStkYXRl&ordering=closes_at", "cursor"),
        ("ordering=secret", "ordering"),
        ("slug=%00", "slug"),
        ("category=" + "x" * 121, "category"),
    ],
)
def test_a_wrong_parameter_is_a_400_that_names_it(query, field, desk, ops):
    answer = ops.get(f"/api/v1/markets/?{query}")
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (400, 400, "invalid")
    assert list(problem["errors"]) == [field]


@pytest.mark.parametrize("ordering", ["id", "-id", "code", "-code"])
def test_pages_give_every_row_once_in_order(desk, ops, ordering):
    key = ordering.lstrip("-")
    whole = [row[key] for row in results(ops, f"ledger/accounts/?limit=200&ordering={ordering}")]
    seen, path = [], f"/api/v1/ledger/accounts/?limit=3&ordering={ordering}"
    while path:
        page = ops.get(path).json()
        assert 1 <= len(page["results"]) <= 3
        seen += [row[key] for row in page["results"]]
        path = page["next"]
    assert seen == whole
    assert len(seen) == 10


def test_rows_added_while_paging_move_nothing(desk, ops):
    first = ops.get("/api/v1/tenants/?limit=1&ordering=-id").json()
    open_desk("bob", with_market=False)
    assert first["next"] is None
    assert [row["slug"] for row in results(ops, "tenants/?ordering=slug")] == ["alice", "bob"]


def test_the_caller_is_told_who_it_is(desk, staff, ops):
    assert ops.get("/api/v1/me/").json() == {"kind": "ops", "username": "ops", "is_staff": False, "memberships": []}
    from apps.accounts.models import Membership, User

    Membership.objects.create(user=User.objects.get(username="olga"), tenant_id=desk.tenant_id, role="owner", created_at=NOW)
    assert staff.get("/api/v1/me/").json() == {
        "kind": "user", "username": "olga", "is_staff": True,
        "memberships": [{"tenant_id": desk.tenant_id, "tenant_slug": "alice", "role": "owner"}],
    }  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_a_fixed_number_of_queries(name, desk, ops, django_assert_max_num_queries):
    with django_assert_max_num_queries(2 if name == "schedules" else 1):  # what they did, and how they are defined
        ops.get(f"/api/v1/{name}/")
