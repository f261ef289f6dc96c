"""Fetching over real HTTP: what comes back, what is written down, and what a bad vendor costs."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from datetime import timedelta

import pytest
import structlog
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.core.db import InsideTransaction
from apps.sources import http, registry, services
from apps.sources.calling import Journal
from apps.sources.errors import (
    BadAnswer,
    CallInTransaction,
    NotAtVendor,
    NotOffered,
    SourceClosed,
    UnknownSource,
    VendorAway,
    VendorRefused,
)
from apps.sources.models import FetchLog, Quarantine, Source
from tests.factories.wires import TOKENS, clob_book, gamma_market, settled, yahoo_chart
from tests.integration.sources.conftest import NOW
from tests.integration.sources.upstream import Answer

pytestmark = pytest.mark.django_db
GAMMA, CLOB, YAHOO = "polymarket_gamma", "polymarket_clob", "yahoo"


def markets(now=NOW):
    return services.fetch_markets(source=GAMMA, now=now, by="test")


def test_markets_come_with_a_trace_of_the_fetch(vendor):
    vendor.says({"markets": [gamma_market()]})
    batch = markets()
    assert (batch.source, batch.operation, len(batch.records), batch.stale) == (GAMMA, "markets", 1, False)
    log = FetchLog.objects.get()
    assert (log.source_id, log.operation, log.outcome, log.by) == (GAMMA, "markets", "ok", "test")
    assert (log.http_status, log.calls, log.records, log.rejected, log.breaker_state) == (200, 1, 1, 0, "closed")
    assert log.started_at == NOW
    assert log.bytes == len(json.dumps({"markets": [gamma_market()]}))
    assert len(log.payload_digest) == 64
    source = Source.objects.get(slug=GAMMA)
    assert (source.last_success_at, source.last_error_at) == (NOW, None)


def test_the_question_goes_below_the_path_of_the_configured_address(vendor):
    vendor.says({"markets": []})
    markets()
    assert vendor.questions[0].path == "/polymarket_gamma/markets/keyset"
    assert ("closed", "false") in vendor.questions[0].query


def test_the_id_that_the_log_lines_carry_goes_out_with_the_question(vendor):
    vendor.says({"markets": []})
    markets()
    with structlog.contextvars.bound_contextvars(task_id="task-7"):
        markets()
    assert [question.headers.get("X-Correlation-ID") for question in vendor.questions] == [None, "task-7"]


def test_states_of_open_and_closed_markets_come_together(vendor):
    ended = settled(conditionId="0x" + "cd" * 32)
    vendor.script = lambda question: Answer(
        json.dumps({"markets": [ended] if ("closed", "true") in question.query else [gamma_market()]}).encode()
    )
    keys = [gamma_market()["conditionId"], ended["conditionId"]]
    batch = services.fetch_market_states(source=GAMMA, keys=keys, now=NOW, by="test")
    assert [record.closed for record in batch.records] == [False, True]
    assert FetchLog.objects.get().calls == 2


def test_books_are_posted_for_and_read(vendor):
    vendor.says([clob_book()])
    batch = services.fetch_books(source=CLOB, outcome_keys=list(TOKENS), now=NOW, by="test")
    assert [book.outcome_key for book in batch.records] == [TOKENS[0]]
    assert json.loads(vendor.questions[0].body) == [{"token_id": token} for token in TOKENS]
    assert vendor.questions[0].headers["Content-Type"] == "application/json"


def test_an_empty_question_asks_nobody_and_makes_no_source_look_fresh(vendor):
    assert services.fetch_books(source=CLOB, outcome_keys=[], now=NOW, by="test").records == ()
    assert services.fetch_market_states(source=GAMMA, keys=[], now=NOW, by="test").records == ()
    assert (vendor.questions, FetchLog.objects.count()) == ([], 0)
    assert not Source.objects.exclude(last_success_at=None).exists()


def test_a_price_history_is_read(vendor):
    vendor.says({"history": [{"t": 1_780_876_500, "p": 0.5}]})
    assert len(services.fetch_price_history(source=CLOB, outcome_key=TOKENS[0], now=NOW, by="test").records) == 1


def test_candles_come_with_their_instrument(vendor):
    vendor.says(yahoo_chart())
    instrument, batch = services.fetch_candles(source=YAHOO, symbol="^GSPC", now=NOW, by="test")
    assert (instrument.symbol, len(batch.records)) == ("^GSPC", 2)
    assert vendor.questions[0].path == "/yahoo/v8/finance/chart/%5EGSPC"


def test_a_bad_row_is_quarantined_once_and_counted_and_the_rest_is_kept(vendor):
    vendor.says({"markets": [gamma_market(), gamma_market(conditionId="0x" + "cd" * 32, endDate=None)]})
    assert len(markets().records) == 1
    batch = markets(NOW + timedelta(seconds=5))
    assert (len(batch.records), len(batch.rejected)) == (1, 1)
    fault = Quarantine.objects.get()
    assert (fault.source_id, fault.operation, fault.reason) == (GAMMA, "markets", "endDate is missing")
    assert (fault.row_key, fault.seen_count) == ("0x" + "cd" * 32, 2)
    assert (fault.at, fault.last_seen_at) == (NOW, NOW + timedelta(seconds=5))
    assert '"slug": "btc-up-or-down"' in fault.excerpt


@pytest.mark.parametrize(
    ("body", "reason", "excerpt"),
    [
        (b"<html>Attention Required</html>", "HTML", "<html>Attention Required</html>"),
        (b'{"markets": [{"id"', "not JSON", '{"markets": [{"id"'),
        (b'{"markets": [{"volumeNum": NaN}]}', "not JSON", '{"markets": [{"volumeNum": NaN}]}'),
        (b'{"markets": {"a": 1}}', "list of markets", '{"a": 1}'),
        (b"{}", "page of markets", "{}"),
        (b"", "empty", ""),
    ],
)
def test_a_bad_body_stores_nothing_and_is_quarantined_whole(vendor, body, reason, excerpt):
    vendor.says(body)
    with pytest.raises(BadAnswer, match=reason):
        markets()
    fault = Quarantine.objects.get()
    assert reason in fault.reason
    assert fault.excerpt == excerpt
    log = FetchLog.objects.get()
    assert (log.outcome, log.records, log.rejected, log.http_status) == ("bad-answer", 0, 1, 200)
    source = Source.objects.get(slug=GAMMA)
    assert source.last_success_at is None
    assert source.last_error == f"bad-answer: {fault.reason}"


def test_bad_bodies_that_differ_only_far_behind_are_two_rows_and_the_same_again_is_counted(vendor):
    first, second = (b'{"markets": [' + b" " * 3_000 + tail for tail in (b"1", b"2"))
    for body in (first, second, first):
        vendor.says(body)
        with pytest.raises(BadAnswer):
            markets()
    assert sorted(Quarantine.objects.values_list("seen_count", "payload_digest")) == [
        (1, hashlib.sha256(second).hexdigest()),
        (2, hashlib.sha256(first).hexdigest()),
    ]


def test_an_answer_that_is_json_and_no_page_is_known_by_its_body_too(vendor):
    body = b'{"error": "' + b"x" * 3_000 + b'"}'
    vendor.says(body)
    with pytest.raises(BadAnswer, match="page of markets"):
        markets()
    assert Quarantine.objects.get().payload_digest == hashlib.sha256(body).hexdigest()


def test_a_source_of_which_no_row_is_believed_is_not_fresh_and_says_so(vendor):
    bad = gamma_market(endDate=None)
    vendor.says({"markets": [bad, {**bad, "conditionId": "0x" + "cd" * 32}]})
    assert markets().records == ()
    source = Source.objects.get(slug=GAMMA)
    assert (source.last_success_at, source.last_error_at, source.last_error) == (None, NOW, "2 rows, none believed")
    vendor.says({"markets": [bad, gamma_market()]})
    later = NOW + timedelta(seconds=5)
    markets(later)
    source.refresh_from_db()
    assert (source.last_success_at, source.last_error_at) == (later, NOW)


def test_an_answer_without_rows_is_a_success(vendor):
    vendor.says({"markets": []})
    markets()
    assert Source.objects.values_list("last_success_at", "last_error").get(slug=GAMMA) == (NOW, "")


def test_a_doubt_is_quarantined_once_and_counted_and_shown():
    told = {"source": YAHOO, "operation": "candles", "reason": "scale: ×100", "excerpt": "1 became 100", "key": "^GSPC"}
    for seconds in (0, 5):
        services.doubt(**told, now=NOW + timedelta(seconds=seconds), by="test")
    services.doubt(**{**told, "key": "CL=F"}, now=NOW, by="test")
    rows = Quarantine.objects.order_by("id").values_list("row_key", "excerpt", "seen_count", "last_seen_at")
    assert list(rows) == [("^GSPC", "1 became 100", 2, NOW + timedelta(seconds=5)), ("CL=F", "1 became 100", 1, NOW)]
    source = Source.objects.get(slug=YAHOO)
    assert (source.last_success_at, source.last_error) == (None, "scale: ×100")
    with pytest.raises(UnknownSource):
        services.doubt(**{**told, "source": "nowhere"}, now=NOW, by="test")
    assert Quarantine.objects.count() == 2


def test_a_bad_later_page_keeps_the_first_and_marks_the_batch_stale(vendor):
    vendor.says({"markets": [gamma_market()], "next_cursor": "a"}, b"<html>")
    batch = markets()
    assert (len(batch.records), len(batch.rejected), batch.stale) == (1, 1, True)
    assert FetchLog.objects.get().outcome == "incomplete"


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (500, VendorAway, "http-status"),
        (429, VendorAway, "http-status"),
        (403, VendorRefused, "http-status"),
        (422, VendorRefused, "http-status"),
        (404, NotAtVendor, "http-status"),
    ],
)
def test_a_failed_status_becomes_the_rooms_own_error_and_leaves_a_trace(vendor, status, error, outcome):
    vendor.says({"error": "no"}, status=status)
    with pytest.raises(error):
        services.fetch_candles(source=YAHOO, symbol="^GSPC", now=NOW, by="test")
    log = FetchLog.objects.get()
    assert (log.outcome, log.http_status, log.records) == (outcome, status, 0)
    assert Quarantine.objects.count() == 0
    assert Source.objects.get(slug=YAHOO).last_error_at == NOW


def test_an_answer_after_two_failures_is_an_answer_and_the_calls_are_counted(vendor):
    answers = [Answer(b"", 503), Answer(b"", 502), Answer(json.dumps({"markets": []}).encode())]
    vendor.script = lambda question: answers.pop(0)
    assert markets().records == ()
    assert FetchLog.objects.get().calls == 3


def test_an_open_breaker_refuses_without_asking_and_a_reset_opens_the_way(vendor):
    vendor.says(b"", status=500)
    for _ in range(3):
        with pytest.raises(VendorAway):
            markets()
    asked = len(vendor.questions)
    with pytest.raises(VendorAway) as caught:
        markets()
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 60
    assert len(vendor.questions) == asked == 5
    log = FetchLog.objects.latest("id")
    assert (log.outcome, log.breaker_state) == ("breaker-open", "open")
    services.reset_breaker(source=GAMMA, by="test", now=NOW)
    vendor.says({"markets": []})
    assert markets().records == ()


def test_nobody_listening_is_a_vendor_that_is_away(vendor, settings):
    settings.VENDORS = {**settings.VENDORS, YAHOO: {"base_url": "http://127.0.0.1:9", "rate_per_minute": 6_000}}
    with pytest.raises(VendorAway):
        services.fetch_candles(source=YAHOO, symbol="^GSPC", now=NOW, by="test")
    assert FetchLog.objects.get().outcome == "connection-failed"


def test_a_vendor_address_on_the_inside_is_called_only_because_settings_name_it(vendor, settings):
    url = vendor.url
    settings.VENDORS = {**settings.VENDORS, YAHOO: {"base_url": "", "rate_per_minute": 6_000}}
    gamma = registry.vendor_of(GAMMA)
    assert ("127.0.0.1", int(url.rpartition(":")[2])) in registry.configured_hosts()
    settings.VENDORS = {}
    assert registry.configured_hosts() == frozenset()
    assert registry.base_url_of(gamma) == "https://gamma-api.polymarket.com"


def test_no_fetch_starts_inside_a_transaction(vendor):
    with pytest.raises(InsideTransaction), transaction.atomic():
        markets()
    assert (vendor.questions, FetchLog.objects.count()) == ([], 0)


def test_the_kit_itself_refuses_to_call_out_inside_a_transaction(vendor):
    gamma = registry.vendor_of(GAMMA)
    with pytest.raises(CallInTransaction), transaction.atomic():
        http.ask(gamma, Journal(operation="markets"), gamma.check)
    assert vendor.questions == []


def test_sources_that_are_unknown_closed_or_offer_something_else_are_not_asked(vendor):
    with pytest.raises(UnknownSource):
        services.fetch_markets(source="nope", now=NOW, by="test")
    with pytest.raises(NotOffered):
        services.fetch_markets(source=YAHOO, now=NOW, by="test")
    services.ensure_sources(now=NOW, by="test")
    services.pause(source=GAMMA, reason="maintenance", now=NOW, by="test")
    with pytest.raises(SourceClosed, match="maintenance"):
        markets()
    assert (vendor.questions, FetchLog.objects.count()) == ([], 0)


def test_five_hundred_faults_are_written_in_one_statement(vendor):
    rows = [gamma_market(conditionId=f"0x{number:064x}", endDate=None) for number in range(600)]
    vendor.says({"markets": rows})
    services.ensure_sources(now=NOW, by="test")
    with CaptureQueriesContext(connection) as queries:
        batch = markets()
    assert len(batch.rejected) == 600
    assert Quarantine.objects.count() == 500
    assert sum("sources_quarantine" in query["sql"] for query in queries) == 1


def test_a_forked_process_makes_a_client_of_its_own(vendor):
    vendor.says({"markets": []})
    markets()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads: that is the point here
        child = os.fork()
    if child == 0:
        gamma = registry.vendor_of(GAMMA)
        code = 1
        try:
            http.ask(gamma, Journal(operation="markets"), gamma.check)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(vendor.questions) == 2
    markets()
    assert len(vendor.questions) == 3


def test_the_breaker_rests_a_minute_of_the_world_that_is_played(settings):
    settings.VENDORS = {}
    for speed, open_s in ((1, 60.0), (10, 6.0), (120, 2.0)):
        settings.SCHEDULE_SPEED = speed
        assert registry.connection_of(registry.vendor_of(GAMMA)).policy.breaker.open_s == open_s


def test_everything_is_fetched_by_the_vendors_own_defaults(vendor):
    pages = {"/polymarket_gamma/markets/keyset": {"markets": [gamma_market()]}, "/polymarket_clob/books": [clob_book()]}
    vendor.script = lambda question: Answer(json.dumps(pages[question.path]).encode())
    counts = services.fetch_everything(source=CLOB, keys=[], now=NOW, by="test")
    assert [(count.operation, count.records, count.rejected) for count in counts] == [("books", 1, 0)]


def test_whoever_watches_a_fetch_of_everything_hears_of_every_call(vendor):
    vendor.says({"markets": [gamma_market()]})
    told = []
    counts = services.fetch_everything(source=GAMMA, keys=(), now=NOW, by="test", progress=lambda *report: told.append(report))
    assert [count.operation for count in counts] == ["markets"]
    assert told == [(1, None, "markets: /markets/keyset")]
