"""How markets end in the store."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.audit.models import Event as AuditEvent
from apps.markets import selectors, services
from apps.markets.errors import MarketNotFound
from apps.markets.models import Market, Result
from apps.sources.types import ResolutionRecord
from tests.integration.markets.making import BY, NOW, listed, result_of, store, won

pytestmark = pytest.mark.django_db

AFTER = NOW + timedelta(minutes=16)


@pytest.fixture(autouse=True)
def _one_listed_market():
    store(listed())


def market():
    return selectors.get_market(Market.objects.get().id)


def payouts():
    up, down = market().outcomes
    result = selectors.latest_result(market().id)
    return result and (result.payouts.get(up.id), result.payouts.get(down.id))


def test_a_final_result_after_the_close_is_revision_one():
    assert store(won(), now=AFTER).results == 1
    result = result_of(market().id)
    assert (result.revision, result.kind, result.observed_at) == (1, "final", AFTER)
    assert payouts() == (Decimal(1), Decimal(0))
    assert (market().state, market().accepts_orders) == ("resolved", False)
    assert AuditEvent.objects.filter(action="market.resolved", subject=market().id).count() == 1


def test_the_same_result_again_changes_nothing():
    store(won(), now=AFTER)
    assert store(won(), now=AFTER).results == 0
    assert Result.objects.count() == 1
    assert AuditEvent.objects.filter(action__in=("market.resolved", "market.restated")).count() == 1


def test_another_result_is_the_next_revision():
    store(won(), now=AFTER)
    assert store(won(payouts=("0", "1")), now=AFTER).results == 1
    assert result_of(market().id).revision == 2
    assert payouts() == (Decimal(0), Decimal(1))
    told = AuditEvent.objects.get(action="market.restated")
    assert (told.subject, told.detail["revision"]) == (market().id, 2)


def test_a_result_restated_to_void_and_back():
    store(won(), now=AFTER)
    store(won(status="void"), now=AFTER)
    assert (market().state, payouts()) == ("void", (None, None))
    store(won(), now=AFTER)
    assert (market().state, payouts()) == ("resolved", (Decimal(1), Decimal(0)))
    assert list(Result.objects.order_by("revision").values_list("revision", "kind")) == [(1, "final"), (2, "void"), (3, "final")]


@pytest.mark.parametrize("status", ["proposed", "disputed"])
def test_a_proposal_and_a_dispute_wait(status):
    assert store(won(status=status), now=AFTER).results == 0
    assert (market().state, payouts()) == ("closed", None)


def test_nothing_ends_before_its_scheduled_close():
    assert store(won(), now=NOW + timedelta(minutes=14)).results == 0
    assert (market().state, payouts()) == ("closed", None)
    assert store(won(), now=NOW + timedelta(minutes=15)).results == 1


def test_a_stale_answer_settles_nothing():
    assert store(won(), now=AFTER, stale=True).results == 0
    assert payouts() is None


def test_prices_near_an_end_are_not_an_end():
    assert store(won(payouts=("0.9995", "0.0005")), now=AFTER).results == 1  # they do share one unit: part payouts
    assert store(won(payouts=("0.9995", "0.0004")), now=AFTER).results == 0


def test_part_payouts_are_kept_exactly():
    store(won(payouts=("0.5", "0.5")), now=AFTER)
    assert payouts() == (Decimal("0.5"), Decimal("0.5"))


def test_a_market_first_seen_resolved_is_stored_with_its_result():
    counts = store(won(2), now=AFTER)
    assert (counts.created, counts.results) == (1, 1)


def test_resolving_an_unknown_market_is_refused():
    end = ResolutionRecord(status="final", payouts=(Decimal(1), Decimal(0)))
    with pytest.raises(MarketNotFound):
        services.resolve_from_source(market_id="mkt_nowhere", resolution=end, is_closed=True, now=AFTER, by=BY)
    assert Result.objects.count() == 0


def test_latest_results_are_one_for_each_market_in_one_query(django_assert_num_queries):
    store(listed(2))
    store(won(1), won(2), now=AFTER)
    store(won(1, payouts=("0", "1")), now=AFTER)
    ids = [row.id for row in Market.objects.order_by("source_key")]
    with django_assert_num_queries(1):
        found = selectors.latest_results(market_ids=[*ids, "mkt_nowhere"])
    assert {market_id: result.revision for market_id, result in found.items()} == {ids[0]: 2, ids[1]: 1}
