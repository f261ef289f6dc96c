"""Sources as rows: made, paused, resumed, checked; and what others can read of them."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from apps.audit.models import Event
from apps.core.errors import Invalid
from apps.sources import registry, selectors, services
from apps.sources.errors import UnknownSource, VendorAway
from apps.sources.models import FetchLog, Source
from tests.factories.wires import clob_book, gamma_market, yahoo_chart
from tests.integration.sources.conftest import NOW
from tests.integration.sources.upstream import Answer

pytestmark = pytest.mark.django_db
GAMMA, CLOB, YAHOO = "polymarket_gamma", "polymarket_clob", "yahoo"


def test_every_vendor_gets_a_row_once_and_one_audit_event():
    assert services.ensure_sources(by="test", now=NOW) == len(registry.VENDORS) >= 18
    assert services.ensure_sources(by="test", now=NOW) == 0
    assert set(Source.objects.values_list("slug", flat=True)) == set(registry.VENDORS)
    assert list(Event.objects.values_list("action", "actor")) == [("sources.added", "test")]


def test_pausing_and_resuming_say_why_and_are_audited():
    services.ensure_sources(by="test", now=NOW)
    services.pause(source=GAMMA, reason=" maintenance ", by="alice", now=NOW)
    row = Source.objects.get(slug=GAMMA)
    assert (row.state, row.state_reason) == ("paused", "maintenance")
    services.resume(source=GAMMA, by="alice", now=NOW)
    row.refresh_from_db()
    assert (row.state, row.state_reason) == ("on", "")
    events = Event.objects.filter(subject=GAMMA).order_by("id").values_list("action", "actor", "detail")
    assert list(events) == [("source.paused", "alice", {"reason": "maintenance"}), ("source.resumed", "alice", {})]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301])
def test_a_pause_without_a_fit_reason_changes_nothing(reason):
    services.ensure_sources(by="test", now=NOW)
    with pytest.raises(Invalid):
        services.pause(source=GAMMA, reason=reason, by="alice", now=NOW)
    assert Source.objects.get(slug=GAMMA).state == "on"
    assert not Event.objects.filter(subject=GAMMA).exists()


def test_an_unknown_source_can_be_neither_paused_nor_checked_nor_reset():
    for act in (
        lambda: services.pause(source="nope", reason="x", by="alice", now=NOW),
        lambda: services.resume(source="nope", by="alice", now=NOW),
        lambda: services.reset_breaker(source="nope", by="alice", now=NOW),
        lambda: services.self_check(source="nope", by="alice", now=NOW),
    ):
        with pytest.raises(UnknownSource):
            act()
    assert Event.objects.count() == 0


def test_the_database_itself_wants_a_reason_and_a_known_state():
    services.ensure_sources(by="test", now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Source.objects.filter(slug=GAMMA).update(state="paused")
    with pytest.raises(IntegrityError), transaction.atomic():
        Source.objects.filter(slug=GAMMA).update(state="asleep", state_reason="x")


def test_a_self_check_asks_the_live_vendor_and_says_what_it_found(vendor):
    answers = {
        "/polymarket_gamma/markets/keyset": {"markets": [gamma_market(), gamma_market(endDate=None)]},
        "/polymarket_clob/markets": {"data": [{}], "next_cursor": "LTE="},
        "/yahoo/v8/finance/chart/%5EGSPC": yahoo_chart(),
    }
    vendor.script = lambda question: Answer(json.dumps(answers[question.path]).encode())
    results = {slug: services.self_check(source=slug, by="alice", now=NOW) for slug in (GAMMA, CLOB, YAHOO)}
    assert all(result.is_good for result in results.values())
    assert results[GAMMA].message == "1 of 2 markets read: endDate is missing"
    assert results[YAHOO].message == "2 bars of S&P 500"
    assert FetchLog.objects.filter(operation="check", outcome="ok").count() == 3


def test_a_self_check_of_a_vendor_that_is_away_says_so_and_raises_nothing(vendor):
    vendor.says(b"", status=503)
    result = services.self_check(source=GAMMA, by="alice", now=NOW)
    assert not result.is_good
    assert result.message.startswith("vendor-away: ")
    assert FetchLog.objects.get().outcome == "http-status"


def test_a_self_check_is_audited_however_it_ends(vendor):
    vendor.says({"markets": [gamma_market()]})
    services.self_check(source=GAMMA, by="alice", now=NOW)
    vendor.says(b"", status=503)
    services.self_check(source=GAMMA, by="bob", now=NOW)
    told = Event.objects.filter(subject=GAMMA, action="source.checked").order_by("id")
    assert [(event.actor, event.detail["is_good"]) for event in told] == [("alice", True), ("bob", False)]
    assert [event.detail["said"].split(":")[0] for event in told] == ["1 of 1 markets read", "vendor-away"]


def test_a_self_check_that_finds_nothing_good_makes_no_source_look_fresh(vendor):
    vendor.says({"markets": [gamma_market(endDate=None)]})
    assert not services.self_check(source=GAMMA, by="alice", now=NOW).is_good
    source = Source.objects.get(slug=GAMMA)
    assert (source.last_success_at, source.last_error_at) == (None, NOW)
    assert "0 of 1 markets read" in source.last_error
    vendor.says({"markets": [gamma_market()]})
    assert services.self_check(source=GAMMA, by="alice", now=NOW).is_good
    assert Source.objects.get(slug=GAMMA).last_success_at == NOW


def test_others_can_read_freshness_figures_faults_and_breakers(vendor):
    services.ensure_sources(by="test", now=NOW)
    vendor.says({"markets": [gamma_market(), gamma_market(endDate=None)]})
    services.fetch_markets(source=GAMMA, now=NOW, by="test")
    vendor.says(b"", status=500)
    with pytest.raises(VendorAway):
        services.fetch_markets(source=GAMMA, now=NOW, by="test")
    ages = {view.slug: view.age_s for view in selectors.list_freshness(now=NOW + timedelta(seconds=30))}
    assert {slug: age_s for slug, age_s in ages.items() if age_s is not None} == {GAMMA: 30.0}
    assert set(ages) == set(registry.VENDORS)
    (stats,) = selectors.fetch_stats(since=NOW)
    assert (stats.source, stats.fetches, stats.failures, stats.records, stats.rejected) == (GAMMA, 2, 1, 1, 1)
    assert stats.calls == 1 + 4
    assert selectors.fetch_stats(since=NOW + timedelta(seconds=1)) == ()
    assert selectors.quarantine_counts(since=NOW) == {GAMMA: 1}
    view = {view.slug: view for view in selectors.list_sources()}[GAMMA]
    assert (view.state, view.offers, view.base_url) == ("on", ("open_markets", "market_states"), f"{vendor.url}/{GAMMA}")
    phases = {view.slug: (view.phase, view.failures) for view in selectors.list_breakers()}
    assert phases == {**dict.fromkeys(registry.VENDORS, ("closed", 0)), GAMMA: ("closed", 4)}


def fetch(*arguments: str) -> tuple[int, dict]:
    out = StringIO()
    try:
        call_command("fetch", *arguments, "--json", stdout=out, stderr=StringIO())
    except SystemExit as leaving:
        return int(leaving.code or 0), json.loads(out.getvalue() or "{}")
    return 0, json.loads(out.getvalue())


def test_the_fetch_command_counts_and_leaves_with_0_when_all_is_read(vendor):
    vendor.says({"markets": [gamma_market()]})
    code, figures = fetch(GAMMA)
    assert (code, figures["records"], figures["rejected"]) == (0, 1, 0)


def test_the_fetch_command_leaves_with_1_when_something_was_not_believed(vendor):
    vendor.says({"markets": [gamma_market(), gamma_market(endDate=None)]})
    code, figures = fetch(GAMMA)
    assert (code, figures["rejected"]) == (1, 1)


def test_the_fetch_command_leaves_with_1_when_the_whole_answer_was_not_believed(vendor):
    vendor.says(b"<html>Just a moment...</html>")
    assert fetch(GAMMA) == (1, {})


def test_the_fetch_command_leaves_with_2_when_a_source_has_nothing_to_fetch(db):
    assert fetch("openai") == (2, {})


def test_the_fetch_command_leaves_with_2_when_the_vendor_is_away_or_unknown(vendor):
    vendor.says(b"", status=503)
    assert fetch(GAMMA)[0] == 2
    assert fetch("nope")[0] == 2
    assert fetch()[0] == 2


def test_force_refresh_asks_although_the_breaker_is_open(vendor):
    vendor.says(b"", status=500)
    assert [fetch(YAHOO, "--key", "^GSPC")[0] for _ in range(3)] == [2, 2, 2]
    vendor.says(yahoo_chart())
    assert fetch(YAHOO, "--key", "^GSPC")[0] == 2
    assert fetch(YAHOO, "--key", "^GSPC", "--force-refresh")[0] == 0


def test_the_fetch_command_finds_outcomes_by_itself(vendor):
    answers = {"/polymarket_gamma/markets/keyset": {"markets": [gamma_market()]}, "/polymarket_clob/books": [clob_book()]}
    vendor.script = lambda question: Answer(json.dumps(answers[question.path]).encode())
    assert fetch(CLOB) == (
        0,
        {
            "source": CLOB,
            "records": 1,
            "rejected": 0,
            "fetches": [{"operation": "books", "records": 1, "rejected": 0, "stale": False}],
        },
    )
