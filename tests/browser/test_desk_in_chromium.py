"""The desk and the admin in a real browser: nothing complains, nothing overflows, and it works without a script."""

from __future__ import annotations

import pytest

from tests.browser.conftest import PASSWORD

WIDTHS = (360, 768, 1280, 1920)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_desk_fits_every_window_and_nothing_complains(visit, day, width, scheme):
    seen = visit(width=width, scheme=scheme)
    seen.go("/desk/")
    seen.page.wait_for_selector("#chart canvas")
    assert seen.page.is_visible("text=Bitcoin up in round 2?")
    assert seen.overflow() <= 0
    seen.go(f"/desk/markets/{day.ended.id}/")
    seen.page.wait_for_selector("#chart canvas")
    assert seen.overflow() <= 0
    assert seen.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_everything_is_there_without_a_script(visit, day, width):
    seen = visit(width=width, script=False)
    seen.go("/desk/")
    for words in ("Live markets", "Bitcoin up in round 2?", "Settled results", "Forecast at", "unproven: 1 of 100", "Yahoo"):
        assert seen.page.is_visible(f"text={words}"), words
    assert not seen.page.is_visible("#chart")
    seen.page.click("#live table a")
    assert seen.page.url.endswith(f"?market={day.live.id}")
    seen.page.click("#live small a")
    assert seen.page.is_visible("text=Along the flow")


def test_figures_come_anew_by_themselves_and_times_are_in_the_readers_zone(visit, day):
    from tests.integration.markets import making

    seen = visit()
    seen.go("/desk/")
    shown = seen.page.text_content("#focus time")
    moment = seen.page.get_attribute("#focus time", "datetime")
    assert int(shown[:2]) == (int(moment[11:13]) + 9) % 24  # Tokyo
    assert seen.page.get_attribute("#focus time", "title").endswith("UTC")
    from datetime import UTC, datetime

    now = datetime.now(tz=UTC)
    making.store_books(making.book("t2-up", bid="0.71", ask="0.73", at=now), now=now)
    seen.page.wait_for_selector("#live >> text=0.720", timeout=8000)
    assert "UTC" not in seen.page.text_content("#focus time")
    assert seen.complaints == []


def test_a_focused_link_keeps_the_focus_when_figures_come_anew(visit, day):
    seen = visit()
    seen.go("/desk/")
    seen.page.focus(f"#live-{day.live.id}")
    with seen.page.expect_response(lambda answer: "/desk/parts/" in answer.url):
        pass
    seen.page.wait_for_timeout(300)
    assert seen.page.evaluate("document.activeElement.id") == f"live-{day.live.id}"


def test_the_page_says_so_when_the_desk_is_away(visit, day):
    seen = visit()
    seen.go("/desk/")
    assert not seen.page.is_visible("#away")
    seen.page.route("**/desk/parts/**", lambda route: route.abort())
    seen.page.wait_for_selector("#away", state="visible", timeout=8000)
    seen.page.unroute("**/desk/parts/**")
    seen.page.wait_for_selector("#away", state="hidden", timeout=8000)


def test_staff_sign_in_and_come_to_the_desk(visit, day):
    seen = visit(signed_in=False)
    seen.go("/desk/")
    assert "/admin/login/" in seen.page.url
    seen.page.fill("#id_username", "olga")
    seen.page.fill("#id_password", PASSWORD)
    seen.page.press("#id_password", "Enter")
    seen.page.wait_for_url("**/desk/")
    seen.page.wait_for_selector("#live")
    assert seen.complaints == []


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/markets/market/", "/admin/trading/order/", "/admin/accounts/user/", "/api/docs/"]
)
def test_admin_and_api_page_work_under_their_policy(visit, day, path):
    seen = visit(width=1280)
    seen.go(path)
    seen.page.wait_for_load_state("networkidle")
    assert seen.complaints == []


def test_the_admin_leads_back_to_the_desk(visit, day):
    seen = visit(width=1280)
    seen.go("/admin/")
    seen.page.click('a[href="/desk/"]')
    seen.page.wait_for_url("**/desk/")


@pytest.mark.parametrize(("width", "scheme"), [(1920, "light"), (1280, "dark"), (360, "light")])
def test_the_sources_page_fits_every_window_and_its_buttons_work_without_a_script(visit, day, width, scheme):
    seen = visit(width=width, scheme=scheme, script=False)
    seen.go("/desk/sources/")
    assert seen.overflow() <= 0
    assert seen.page.locator("tbody tr").count() >= 18
    seen.page.locator("#yahoo").get_by_role("button", name="Pause").click()
    assert "yahoo: paused" in seen.page.locator("p.notice[role=status]").all_inner_texts()
    assert "paused at the desk" in seen.page.locator("#yahoo th").inner_text()
    assert seen.complaints == []
