"""The day as rows: ticks of sources that are off rest and come back, and edits of staff stay."""

from __future__ import annotations

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from apps.jobs.definitions import read_definitions
from tasks.install import install_schedule

pytestmark = pytest.mark.django_db
SYMBOLS = {"yahoo": ("^GSPC",), "binance": ("BTC",)}
RECORDED = frozenset({"polymarket_gamma", "polymarket_clob", "yahoo"})


def install(*, on=RECORDED, speed=1.0) -> int:
    return install_schedule(speed=speed, symbols=SYMBOLS, sources_on=on)


def asked_sources() -> set[str]:
    rows = PeriodicTask.objects.filter(enabled=True).values_list("kwargs", flat=True)
    return {kwargs.split('"source": "')[1].split('"')[0] for kwargs in rows if '"source"' in kwargs}


def test_only_sources_that_are_on_are_asked():
    assert install() > 15
    assert asked_sources() == RECORDED
    assert not PeriodicTask.objects.filter(name__contains="kalshi").exists()


def test_installing_again_changes_nothing_and_keeps_what_staff_edited():
    install()
    other = IntervalSchedule.objects.create(every=77, period="seconds")
    PeriodicTask.objects.filter(name="catalogue").update(interval=other, enabled=False)
    assert install() == 0
    row = PeriodicTask.objects.get(name="catalogue")
    assert (row.interval.every, row.enabled) == (77, False)


def test_a_tick_that_the_day_no_longer_has_goes_and_one_that_staff_made_stays():
    every = IntervalSchedule.objects.create(every=300, period="seconds")
    for name, description in (("candles of ^GSPC", "as designed, at speed 1"), ("of the staff", "a look at noon")):
        PeriodicTask.objects.create(name=name, description=description, task="tasks.ingest.candles", interval=every)
    install()
    assert not PeriodicTask.objects.filter(name="candles of ^GSPC").exists()
    assert PeriodicTask.objects.filter(name="of the staff").exists()
    assert PeriodicTask.objects.get(name="candles of yahoo").kwargs == '{"source": "yahoo", "symbols": "^GSPC"}'


def test_a_source_that_goes_off_takes_its_ticks_along_and_brings_them_back():
    install(on=RECORDED | {"kalshi"})
    assert PeriodicTask.objects.get(name="catalogue of kalshi").enabled
    assert install() == 2
    row = PeriodicTask.objects.get(name="catalogue of kalshi")
    assert (row.enabled, row.description) == (False, "at rest: kalshi off")
    assert install() == 0
    assert install(on=RECORDED | {"kalshi"}) == 2
    assert PeriodicTask.objects.get(name="catalogue of kalshi").enabled


def test_every_entry_of_the_day_can_run():
    install(on=RECORDED | {"kalshi", "manifold", "goalserve", "football_data", "newsapi", "reddit", "binance"}, speed=120)
    found = read_definitions()
    assert found.unusable == ()
    assert len(found.usable) == PeriodicTask.objects.count() > 25


def test_putting_a_tick_to_rest_leaves_the_mark_that_beats_look_for():
    install(on=RECORDED | {"kalshi"})
    marked = PeriodicTasks.last_change()
    install()
    assert PeriodicTasks.last_change() > marked
    marked = PeriodicTasks.last_change()
    assert install() == 0
    assert PeriodicTasks.last_change() == marked


def test_what_celerys_own_beat_left_goes():
    every = IntervalSchedule.objects.create(every=300, period="seconds")
    PeriodicTask.objects.create(name="celery.backend_cleanup", task="celery.backend_cleanup", interval=every)
    install()
    assert not PeriodicTask.objects.filter(name="celery.backend_cleanup").exists()
