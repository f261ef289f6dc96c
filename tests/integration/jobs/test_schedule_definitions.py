"""Definitions as staff write them: what they mean, and what cannot run is told with its reason."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask, SolarSchedule

from apps.jobs.definitions import read_clock, read_definitions, scope_of
from apps.jobs.slots import Clocked, Crontab, Every
from tests.integration.jobs.schedule_world import MINUTE, START, at, daily, definitions, every

pytestmark = pytest.mark.django_db


def test_an_interval_is_read_with_its_own_offset_and_its_tasks_queue():
    every("books", 15, task="tasks.ingest.books", kwargs={"source": "kalshi"})
    (found,) = definitions()
    assert isinstance(found.rhythm, Every)
    assert (found.rhythm.every_us, 0 <= found.rhythm.offset_us < 15_000_000) == (15_000_000, True)
    assert (found.queue, found.kwargs, found.known_since, found.is_one_off) == ("fetch", {"source": "kalshi"}, START, False)
    assert found.scope == 'tasks.ingest.books {"source":"kalshi"}'


def test_a_crontab_keeps_its_zone():
    daily("backup", 2, 30, zone="Europe/Berlin")
    assert definitions()[0].rhythm == Crontab(minute="30", hour="2", zone="Europe/Berlin")


def test_a_moment_is_read_as_one_that_comes_once():
    at("once", START)
    assert (definitions()[0].rhythm, definitions()[0].is_one_off) == (Clocked(at=START), True)


def test_a_queue_of_its_own_goes_before_the_route():
    every("books", 15, task="tasks.ingest.books", queue="upkeep", expire_seconds=60, start_time=START, priority=3)
    (found,) = definitions()
    assert (found.queue, found.start_within, found.starts_at, found.priority) == ("upkeep", MINUTE, START, 3)
    assert found.opened(START - MINUTE) == START - timedelta(microseconds=1)


def test_what_is_switched_off_is_not_there():
    every("books", 15, enabled=False)
    assert definitions() == ()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"task": "tasks.nothing"}, "there is no task tasks.nothing"),
        ({"task": "celery.backend_cleanup"}, "there is no task celery.backend_cleanup"),
        ({"queue": "elsewhere"}, "there is no queue elsewhere"),
        ({"args": "[1]"}, "its arguments have no names; tasks take keyword arguments only"),
        ({"kwargs": "[1]"}, "its keyword arguments are no JSON object"),
        ({"kwargs": '{"api_key": "x"}'}, "kwargs.api_key looks like a secret"),
        ({"kwargs": "{"}, "Expecting property name"),
        ({"interval": None}, "it has no interval, crontab or moment"),
    ],
)
def test_what_cannot_run_is_told_and_stops_no_other(wrong, reason):
    every("good", 10)
    row = every("wrong", 10)
    PeriodicTask.objects.filter(pk=row.pk).update(**wrong)
    found = read_definitions()
    assert [definition.name for definition in found.usable] == ["good"]
    assert [(unusable.name, unusable.reason.startswith(reason)) for unusable in found.unusable] == [("wrong", True)]


def test_a_crontab_that_cannot_be_read_is_told():
    row = daily("wrong", 2, 30)
    row.crontab.hour = "25"
    row.crontab.save()
    assert [unusable.reason for unusable in read_definitions().unusable] == ["30 25 * * *: Bad hour"]


@pytest.mark.parametrize(
    ("number", "period", "reason"),
    [
        (1, "microseconds", "every microsecond: an interval is at least 0.1 seconds and at most ten years"),
        (99_999, "microseconds", "every 99999 microseconds: an interval is at least 0.1 seconds and at most ten years"),
        (3654, "days", "every 3654 days: an interval is at least 0.1 seconds and at most ten years"),
        (2**31 - 1, "days", "every 2147483647 days: an interval is at least 0.1 seconds and at most ten years"),
        (0, "seconds", "every 0 seconds: an interval is at least 0.1 seconds and at most ten years"),
        (100_000, "microseconds", None),
        (3653, "days", None),
    ],
)
def test_an_interval_is_a_tenth_of_a_second_at_least_and_ten_years_at_most(number, period, reason):
    row = every("wrong", 10)
    IntervalSchedule.objects.filter(pk=row.interval.pk).update(every=number, period=period)
    found = read_definitions()
    assert [unusable.reason for unusable in found.unusable] == ([] if reason is None else [reason])
    assert len(found.usable) == (1 if reason is None else 0)


def test_the_sun_is_refused_in_plain_words():
    sun = SolarSchedule.objects.create(event="sunrise", latitude=Decimal("52.5"), longitude=Decimal("13.4"))
    PeriodicTask.objects.create(name="morning", task="tasks.upkeep.seal", solar=sun)
    found = read_definitions()
    assert found.usable == ()
    assert [(unusable.name, unusable.reason) for unusable in found.unusable] == [
        ("morning", "it follows the sun, which this desk does not support; use a crontab in a time zone")
    ]


def test_the_order_of_arguments_makes_no_other_scope():
    assert scope_of("t", {"a": 1, "b": 2}) == scope_of("t", {"b": 2, "a": 1}) != scope_of("t", {"a": 2, "b": 1})


def test_the_clock_is_the_databases_and_tells_of_changes():
    first, _ = read_clock()
    every("books", 15)
    second, marked = read_clock()
    assert first < second
    assert marked is not None
    every("more", 15)
    _, marked_again = read_clock()
    assert marked_again is not None
    assert marked_again > marked


def test_reading_the_day_is_one_statement(django_assert_num_queries):
    for number in range(10):
        every(f"tick {number}", 10)
    with django_assert_num_queries(1):
        assert len(read_definitions().usable) == 10
    with django_assert_num_queries(1):
        read_clock()
