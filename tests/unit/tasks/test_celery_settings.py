"""Celery ignores a setting that it does not know: ours are asked for in its own tables."""

from __future__ import annotations

import inspect

import pytest
from celery.app.defaults import NAMESPACES, flatten
from celery.fixups import django as fixup
from django.conf import settings
from kombu.transport import redis as transport

from project.celery import DeskCelery
from project.local.processes import SOFT_SHUTDOWN_S
from tasks.backup import TIME_LIMIT_S

KNOWN = {entry[0].upper() for entry in flatten(NAMESPACES)}
OURS = sorted(name for name in dir(settings) if name.startswith("CELERY_"))
OF_THE_FIXUP = "CELERY_DB_REUSE_MAX"


@pytest.mark.parametrize("name", OURS)
def test_the_installed_celery_knows_every_setting(name):
    known = name in inspect.getsource(fixup) if name == OF_THE_FIXUP else name.removeprefix("CELERY_") in KNOWN
    assert known


def test_a_misspelt_setting_would_be_noticed():
    assert len(OURS) > 25
    assert "WORKER_DISABLE_PREFETCH" in KNOWN
    assert "WORKER_DISABLE_PREFETCHING" not in KNOWN


@pytest.mark.parametrize("name", sorted(settings.CELERY_BROKER_TRANSPORT_OPTIONS))
def test_the_installed_kombu_knows_every_option_of_the_transport(name):
    assert name in transport.Channel.from_transport_options


def test_no_message_is_given_to_a_second_worker_while_any_task_may_run():
    longest_s = max(TIME_LIMIT_S, settings.CELERY_TASK_TIME_LIMIT)
    assert settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] > longest_s


def test_a_task_is_told_to_end_before_it_is_killed():
    assert settings.CELERY_TASK_SOFT_TIME_LIMIT < settings.CELERY_TASK_TIME_LIMIT


def test_the_process_table_waits_as_long_as_a_soft_shutdown_takes():
    assert settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT == SOFT_SHUTDOWN_S


def test_a_worker_that_is_asked_for_its_settings_keeps_the_brokers_password(monkeypatch):
    monkeypatch.setattr(settings, "CELERY_BROKER_URL", "redis://:sesame@127.0.0.1:1/0")
    asked = DeskCelery("asked", set_as_current=False)
    asked.config_from_object("django.conf:settings", namespace="CELERY")
    assert asked.conf.broker_url == settings.CELERY_BROKER_URL
    assert asked.conf.table()["broker_url"] == "redis://:********@127.0.0.1:1/0"
    assert "sesame" not in str(asked.conf.table(with_defaults=True))


def test_nothing_of_the_queue_counts_on_a_limit_of_one_worker():
    from project.celery import app

    app.loader.import_default_modules()
    assert [name for name, task in app.tasks.items() if task.rate_limit] == []
