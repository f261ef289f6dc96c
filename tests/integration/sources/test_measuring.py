"""What the kit's news become on `/metrics`."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from apps.monitoring.metrics import exposition
from apps.resilience.hooks import AttemptFinished, tell
from apps.sources import engine, selectors, services
from tests.factories.wires import gamma_market
from tests.integration.sources.conftest import NOW

pytestmark = pytest.mark.django_db
GAMMA = "polymarket_gamma"


def waited() -> tuple[float, float]:
    """Return how many attempts of the source were measured and how long they waited in sum, as Prometheus reads it."""
    samples = [sample for family in text_string_to_metric_families(exposition().decode()) for sample in family.samples]
    of_source = {sample.name: sample.value for sample in samples if sample.labels.get("source") == GAMMA}
    return of_source.get("rate_limiter_wait_seconds_count", 0), of_source.get("rate_limiter_wait_seconds_sum", 0)


def test_what_an_attempt_waits_for_its_slot_is_measured_by_source(vendor):
    vendor.says({"markets": [gamma_market()]})
    count, waited_s = waited()
    services.fetch_markets(source=GAMMA, now=NOW, by="test")
    attempts, seconds = waited()
    assert (attempts - count, round(seconds - waited_s)) == (1, 0)
    told = AttemptFinished(
        key=GAMMA, operation="markets", attempt=1, outcome="ok", status=200, duration_s=6.1, wait_s=6.0, size_bytes=2
    )
    tell(engine.HOOKS, told)
    attempts, seconds = waited()
    assert (attempts - count, round(seconds - waited_s)) == (2, 6)


def test_attempts_are_timed_across_processes_by_source_and_operation(vendor):
    vendor.says({"markets": [gamma_market()]})
    before = selectors.performance().operations.get("polymarket_gamma.markets")
    services.fetch_markets(source=GAMMA, now=NOW, by="test")
    report = selectors.performance()
    timed = report.operations["polymarket_gamma.markets"]
    assert timed.count == (before.count if before else 0) + 1
    assert 0 < timed.min_s <= timed.mean_s <= timed.max_s
    assert (report.is_shared, report.processes >= 1) == (True, True)
