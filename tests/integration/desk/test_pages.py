"""The pages of the desk as they come from the server, without any script."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from apps.accounts.models import User
from tests.integration.desk.day import open_desk

PAGES = ("/desk/", "/desk/parts/", "/desk/equity/")
PANELS = {"figures", "live", "holdings", "results", "focus", "focus-table", "gate", "rolled", "money", "sources", "upkeep"}

pytestmark = pytest.mark.django_db(transaction=True)


def text_of(answer) -> str:
    """The page's words with one space between them."""
    assert answer.status_code == 200
    bare = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", bare)


@pytest.mark.parametrize("path", PAGES)
def test_strangers_are_sent_to_sign_in(path, db):
    for client in (Client(), Client()):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/admin/login/?next={path}")


def test_a_user_who_is_not_staff_is_a_stranger(db):
    client = Client()
    client.force_login(User.objects.create_user("charlie"))
    assert client.get("/desk/").status_code == 302


def test_a_page_whose_session_ended_is_told_to_sign_in(db):
    answer = Client().get("/desk/parts/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/admin/login/")


def test_the_root_leads_to_the_desk(db):
    assert Client().get("/").headers["Location"] == "/desk/"


def test_an_empty_desk_says_why_it_is_empty(staff, clean_redis):
    page = text_of(staff.get("/desk/"))
    for sentence in (
        "No market with an order book is open now.",
        "Nothing is held.",
        "No market with a book has been settled yet.",
        "Nothing to draw yet",
        "There is no evidence yet",
        "There is no portfolio yet",
        "No source is registered.",
        "No market is rolled from an instrument now.",
    ):
        assert sentence in page
    assert staff.get("/desk/equity/").json()["times"] == []


def test_the_board_shows_the_day(day, staff):
    page = text_of(staff.get("/desk/"))
    assert "Bitcoin up in round 2?" in page
    assert "0.550 0.570 0.560" in page  # bid, ask, mid
    assert re.search(r"Shadow equity 100,00\d\.\d\d USDC", page)
    assert "unproven: 1 of 100 resolved events, 1 of 30 days" in page
    assert "Polymarket Gamma" in page
    assert "Bitcoin up in round 1? Down +" in page  # settled with a gain


def test_figures_stand_in_tables_without_a_script(day, staff):
    page = text_of(staff.get(f"/desk/?market={day.ended.id}"))
    assert "Probability of Up: mid of the book and our forecasts. 2 forecasts from" in page
    assert page.count("UTC") >= 2


def test_the_parts_are_the_panels_of_the_page(day, staff):
    page, parts = (staff.get(path).content.decode() for path in ("/desk/", "/desk/parts/"))
    swapped = set(re.findall(r'id="([a-z-]+)" hx-swap-oob="true"', parts))
    assert swapped == PANELS
    assert all(f'id="{panel}"' in page for panel in PANELS)
    assert "hx-swap-oob" not in page


def test_a_chosen_market_stays_chosen(day, staff):
    page = staff.get(f"/desk/?market={day.live.id}").content.decode()
    assert f'hx-get="/desk/parts/?market={day.live.id}"' in page
    assert 'class="chosen"' in page


@pytest.mark.parametrize("wished", ["mkt_none", "%00", "x" * 500, "<script>alert(1)</script>"])
def test_a_market_that_does_not_exist_is_not_chosen(day, staff, wished):
    answer = staff.get(f"/desk/?market={wished}")
    assert answer.status_code == 200
    assert b"<script>alert" not in answer.content
    assert f"/desk/markets/{day.live.id}/".encode() in answer.content


def test_the_life_of_a_market_links_every_stage(day, staff):
    answer = staff.get(f"/desk/markets/{day.ended.id}/")
    page = text_of(answer)
    for prefix in ("fct_", "sig_", "dec_", "ord_", "fil_", "stl_"):
        assert prefix in page, prefix
    for words in ("shadow, taken", "main, suppressed", "allowed, shadow", "shadow:cash", "order.filled", "market.resolved"):
        assert words in page, words
    targets = set(re.findall(r'href="#([^"]+)"', answer.content.decode())) - {"main"}
    assert targets
    assert all(f'id="{target}"' in answer.content.decode() for target in targets)


def test_a_market_that_is_not_there_has_no_page(staff):
    assert [staff.get(f"/desk/markets/{market_id}/").status_code for market_id in ("mkt_none", "x")] == [404, 404]
    assert staff.get("/desk/markets/mkt_none/series/").status_code == 404


def test_the_lines_of_a_chart_are_aligned_and_in_order(day, staff):
    series = staff.get(f"/desk/markets/{day.ended.id}/series/").json()
    lengths = {len(series[name]) for name in ("times", "price", "model", "final", "low", "high")}
    assert len(lengths) == 1
    assert series["times"] == sorted(series["times"])
    assert series["price"][-1] == 0.56
    assert series["kind"] == "probability"


def test_the_equity_line_begins_with_the_capital(day, staff):
    series = staff.get("/desk/equity/").json()
    assert series["values"][0] == 100_000.0
    assert len(series["times"]) == len(series["values"]) >= 3


def test_the_desk_stands_while_redis_is_away(day, staff, settings):
    settings.CACHES = {name: {**cache, "LOCATION": "redis://127.0.0.1:1/0"} for name, cache in settings.CACHES.items()}
    page = text_of(staff.get("/desk/"))
    assert "Broker does not answer" in page
    assert "Bitcoin up in round 2?" in page


def test_policy_is_strict_at_the_desk_and_relaxed_under_the_admin_alone(staff, clean_redis):
    open_desk_policy = staff.get("/desk/").headers["Content-Security-Policy"]
    admin_policy = staff.get("/admin/").headers["Content-Security-Policy"]
    assert "unsafe" not in open_desk_policy
    assert "'unsafe-eval'" in admin_policy
    for path in ("/api/docs/", "/api/v1/me/", "/desk/markets/x/"):
        assert "unsafe" not in staff.get(path).headers["Content-Security-Policy"]


def test_nothing_inline_and_nothing_from_elsewhere(day, staff):
    for path in ("/desk/", f"/desk/markets/{day.live.id}/"):
        page = staff.get(path).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
        assert not re.search(r"(src|href)=\"(https?:)?//", page)


def test_refreshing_costs_few_queries(day, staff, django_assert_max_num_queries):
    staff.get("/desk/parts/")  # the gate's verdict is cached from here on
    with django_assert_max_num_queries(60):
        staff.get("/desk/parts/")


def test_a_desk_just_set_up_has_its_money_and_sources(staff, clean_redis):
    from datetime import UTC, datetime

    open_desk(now=datetime.now(tz=UTC))
    page = text_of(staff.get("/desk/"))
    assert "main USDC 100,000.00" in page
    assert "Yahoo" in page
