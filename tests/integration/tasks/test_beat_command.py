"""Beat as its command runs it: what it tells after it read the definitions, and that it ends when a signal says so."""

from __future__ import annotations

import signal
import time

import pytest

from tests.integration.jobs.schedule_world import every
from tests.integration.tasks import worker_world as world
from tests.integration.tasks.beat_world import beat, seconds_to_end

pytestmark = pytest.mark.django_db(transaction=True)
TELLS_S = 30
ENDS_S = 15  # a second of sleep and five for the loops; the rest is for a busy machine


@pytest.fixture(autouse=True)
def _clean(clean_redis, transactional_db):
    pass


def test_beat_tells_what_it_found_in_the_definitions_and_what_happens_later(tmp_path):
    every("nothing", 10, task="tasks.nothing")
    with beat(tmp_path) as found:
        world.wait_until(lambda: len(found.events("schedule_cannot_run")) == 1, TELLS_S, found.text)
        assert [told["schedule"] for told in found.events("schedule_cannot_run")] == ["nothing"]
        every("later", 10, task="tasks.nothing")
        world.wait_until(lambda: len(found.events("schedule_cannot_run")) == 2, TELLS_S, found.text)
        assert seconds_to_end(found, signal.SIGTERM, ENDS_S) < ENDS_S
        assert [told["signal"] for told in found.events("beat_ends")] == ["SIGTERM"]


@pytest.mark.parametrize(
    ("number", "after_s"),
    [(signal.SIGTERM, 0.0), (signal.SIGTERM, 0.5), (signal.SIGTERM, 2.0), (signal.SIGTERM, 4.0), (signal.SIGINT, 2.0)],
)
def test_one_signal_ends_beat_soon_whenever_it_comes(tmp_path, number, after_s):
    every("tick", 0.5, task="tasks.upkeep.heartbeat")
    with beat(tmp_path) as found:
        time.sleep(after_s)
        assert seconds_to_end(found, number, ENDS_S) < ENDS_S
        assert found.wait() in ((0,) if after_s else (0, -number))  # just after its banner it may not listen yet
        assert found.events("loops_left_behind") == []
