"""Two beats, killed in turn while a worker runs: one record for every nominal time, none unexplained, each effect once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from apps.jobs.slots import Crontab, Every, Rhythm, offset_us, slots_between
from tests.chaos.queue_desk import IS_LONG, QueueDesk, queue_desk, servers_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900 if IS_LONG else 240)]
KILLS = 20 if IS_LONG else 6
APART_S = (2.0, 9.0) if IS_LONG else (1.0, 4.0)
EDIT_S = 5.0  # within so many seconds an edit takes effect, without a restart
QUEUE, WORKER = "fetch", "worker"
TICKS_S = {"half": 0.5, "one": 1.0, "third": 3.0}  # intervals of the schedules, in seconds
NUMBERS = {"half": 1, "one": 2, "third": 3, "minutely": 4, "daily": 5}  # of the effects that their jobs leave
HOURS_DOWN, MISSED_BEFORE = timedelta(hours=6), timedelta(hours=3)
ADD = """
    INSERT INTO django_celery_beat_periodictask (name, task, args, kwargs, queue, interval_id, crontab_id, enabled, one_off,
        total_run_count, date_changed, description, headers)
    VALUES (%s, 'tests.chaos.queue_work.add_atomic', '[]', %s, 'fetch', %s, %s, true, false, 0, %s, '', '{}')
"""
ADD_INTERVAL = "INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (%s, 'microseconds') RETURNING id"
ADD_CRONTAB = """
    INSERT INTO django_celery_beat_crontabschedule (minute, hour, day_of_month, month_of_year, day_of_week, timezone)
    VALUES (%s, %s, '*', '*', '*', 'UTC') RETURNING id
"""
ADD_PAST = "INSERT INTO jobs_schedule (name, misfire, handled_until, is_on, rhythm) VALUES (%s, 'latest', %s, true, '')"
MARK = "INSERT INTO django_celery_beat_periodictasks (ident, last_update) VALUES (1, now())"
TABLES = ("periodictask", "intervalschedule", "crontabschedule", "periodictasks")


class Day:
    """The schedules of the test, with what each should have had by a moment."""

    def __init__(self, desk: QueueDesk) -> None:
        self.desk = desk
        self.begun_at = datetime.now(UTC)
        self.missed_at = (self.begun_at - MISSED_BEFORE).replace(second=0, microsecond=0)
        self.rhythms: dict[str, Rhythm] = {
            name: Every(every_us=round(every_s * 1e6), offset_us=offset_us(name, round(every_s * 1e6)))
            for name, every_s in TICKS_S.items()
        }
        self.rhythms["minutely"] = Crontab(minute="*")
        self.rhythms["daily"] = Crontab(minute=str(self.missed_at.minute), hour=str(self.missed_at.hour))

    def write(self) -> None:
        with psycopg.connect(self.desk.servers.postgres.dsn) as session:
            session.execute(
                "TRUNCATE jobs_schedule, " + ", ".join(f"django_celery_beat_{table}" for table in TABLES) + " CASCADE"
            )
            for name, rhythm in self.rhythms.items():
                interval, crontab = _row_of(session, rhythm)
                session.execute(ADD, [name, f'{{"number": {NUMBERS[name]}}}', interval, crontab, self.begun_at])
            session.execute(ADD_PAST, ["daily", self.begun_at - HOURS_DOWN])
            session.execute(MARK)

    def expected(self, name: str, until: datetime) -> Counter[datetime]:
        since = self.begun_at - HOURS_DOWN if name == "daily" else self.begun_at
        return Counter(slots_between(self.rhythms[name], since, until))

    def recorded(self, name: str) -> Counter[datetime]:
        rows = self.desk.rows("SELECT slot_at FROM jobs_job WHERE schedule = %s", name)
        return Counter(slot_at.astimezone(UTC) for (slot_at,) in rows)

    def handled_until(self, name: str) -> datetime:
        ((until,),) = self.desk.rows("SELECT handled_until FROM jobs_schedule WHERE name = %s", name)
        return (until or self.begun_at).astimezone(UTC)

    def end(self) -> datetime:
        """Switch every schedule off as admin does, give the beats more than enough time to see it, and return when."""
        self.desk.rows("UPDATE django_celery_beat_periodictask SET enabled = false RETURNING id")
        ((ended_at,),) = self.desk.rows("UPDATE django_celery_beat_periodictasks SET last_update = now() RETURNING last_update")
        time.sleep(EDIT_S + 2.0)
        return datetime.fromisoformat(ended_at.isoformat())

    def unexplained(self) -> list[tuple[str, str, str]]:
        """Return the rows that neither ran nor say why they did not."""
        rows = self.desk.rows("SELECT schedule, state, reason FROM jobs_job WHERE state <> 'done'")
        return [row for row in rows if row[1] != "skipped" or not row[2].startswith(("superseded by ", "running already"))]


def _row_of(session: psycopg.Connection[tuple[int]], rhythm: Rhythm) -> tuple[int | None, int | None]:
    if isinstance(rhythm, Every):
        made = session.execute(ADD_INTERVAL, [rhythm.every_us]).fetchone()
        return (made[0] if made else None), None
    assert isinstance(rhythm, Crontab)
    made = session.execute(ADD_CRONTAB, [rhythm.minute, rhythm.hour]).fetchone()
    return None, (made[0] if made else None)


@pytest.fixture
def desk(request, tmp_path, tmp_path_factory):
    with queue_desk(tmp_path, servers_of(request, tmp_path_factory)) as given:
        yield given


def kill_in_turn(desk: QueueDesk, beats: Sequence[str]) -> None:
    """Kill one beat after the other at random moments; a new one comes up at once, as a supervisor would have it."""
    living = {beat: beat for beat in beats}
    for number in range(KILLS):
        time.sleep(desk.faults.chance.uniform(*APART_S))
        slot = beats[number % len(beats)]
        assert desk.faults.kill(f"kill {slot}", [desk.parent(living[slot])])
        desk.bury(living[slot])
        living[slot] = f"{slot}{number}"
        desk.start_beat(living[slot])


def test_two_beats_and_kills_leave_one_record_for_every_nominal_time(desk):
    day = Day(desk)
    day.write()
    desk.start_worker(WORKER, [QUEUE])
    for beat in ("beat-a", "beat-b"):
        desk.start_beat(beat)
    desk.wait_for("the first slots", lambda: day.recorded("third"))
    kill_in_turn(desk, ("beat-a", "beat-b"))
    killed_at = datetime.now(UTC)
    desk.wait_for("beats are back", lambda: all(day.handled_until(name) > killed_at for name in TICKS_S))
    desk.wait_for("the daily job is done", lambda: desk.effects.counts()[NUMBERS["daily"]])
    ended_at = day.end()
    desk.wait_for("no job is left", desk.is_drained)

    assert desk.faults.count("kill beat") == KILLS
    assert max(day.handled_until(name) for name in TICKS_S) <= ended_at + timedelta(seconds=EDIT_S)
    for name in day.rhythms:
        assert day.recorded(name) == day.expected(name, day.handled_until(name)), name
    assert day.recorded("daily") == {day.missed_at: 1}
    assert sum(day.recorded("one").values()) >= KILLS * APART_S[0]
    assert day.unexplained() == []
    done = dict(desk.rows("SELECT schedule, count(*) FROM jobs_job WHERE state = 'done' GROUP BY schedule"))
    assert {name: desk.effects.counts()[number] for name, number in NUMBERS.items() if name in done} == done
    assert (done["daily"], min(done[name] for name in TICKS_S) >= 2) == (1, True)
    assert desk.effects.counts().total() == sum(done.values())
