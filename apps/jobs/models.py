"""Rows of record: the work of the desk, and what each schedule of the day has done with its slots."""

from django.db import models
from django.db.models.functions import Least

from apps.core.models import Claimable, PrefixedIdField
from apps.jobs.states import FINISHED
from apps.jobs.types import JOB_STATES, MISFIRES


class Job(Claimable):
    """One piece of work. The row is the work; a message of the broker only says that it is there.

    `next_try_at` is never null while the job is queued. `tenant` is a plain id: the row outlives its tenant.
    """

    id = PrefixedIdField(prefix="job")
    task = models.CharField(max_length=120)
    kwargs = models.JSONField(default=dict, help_text="ids, never secrets")
    queue = models.CharField(max_length=20)
    key = models.CharField(max_length=200, null=True, blank=True, help_text="the effect: a second job with it is this one")
    scope = models.CharField(max_length=200, blank=True, help_text="one job of a scope runs at a time")
    schedule = models.CharField(max_length=200, blank=True)
    slot_at = models.DateTimeField(null=True, blank=True, help_text="the nominal time, UTC")
    tenant = models.CharField(max_length=40, blank=True)
    source = models.CharField(max_length=40, blank=True)
    priority = models.SmallIntegerField(default=0, help_text="higher goes first")
    state = models.CharField(max_length=10, choices=[(s, s) for s in JOB_STATES], default="queued")
    attempts_max = models.SmallIntegerField(default=3)
    postponements = models.IntegerField(default=0, help_text="put off without counting as an attempt")
    start_by = models.DateTimeField(null=True, blank=True, help_text="not begun by then: skipped")
    deadline_at = models.DateTimeField(null=True, blank=True, help_text="not done by then: parked")
    rung_at = models.DateTimeField(null=True, blank=True, help_text="the latest bell; null: none for the present try")
    progress_done = models.BigIntegerField(null=True, blank=True)
    progress_total = models.BigIntegerField(null=True, blank=True)
    progress_note = models.CharField(max_length=200, blank=True)
    progress_at = models.DateTimeField(null=True, blank=True)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=120)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    trace = models.TextField(blank=True, help_text="for staff only")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("key",), condition=models.Q(key__isnull=False), name="one_job_per_effect"),
            # Also the history of a schedule: a b-tree is read backwards as well.
            models.UniqueConstraint(fields=("schedule", "slot_at"), condition=~models.Q(schedule=""), name="one_job_per_slot"),
            models.UniqueConstraint(
                fields=("scope",), condition=models.Q(state="running") & ~models.Q(scope=""), name="one_running_per_scope"
            ),
            # What the claim and the caretaker look for: a queued job is due at some time, a running one has a lease.
            models.CheckConstraint(
                condition=~models.Q(state="queued") | models.Q(next_try_at__isnull=False), name="queued_job_has_next_try"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="running") | models.Q(lease_until__isnull=False), name="running_job_has_lease"
            ),
        )
        indexes = (
            models.Index("queue", models.F("priority").desc(), "next_try_at", condition=models.Q(state="queued"), name="job_due"),
            models.Index(fields=("task", "attempts", "next_try_at"), condition=models.Q(state="queued"), name="job_batch"),
            models.Index(fields=("lease_until",), condition=models.Q(state="running"), name="job_leased"),
            models.Index(fields=("state", "finished_at"), condition=models.Q(state__in=FINISHED), name="job_ended"),
            models.Index(
                fields=("schedule", "slot_at"),
                condition=models.Q(state="parked") & ~models.Q(schedule=""),
                name="job_parked_slot",
            ),
            models.Index(
                "scope",
                models.F("slot_at").asc(nulls_first=True),
                condition=models.Q(state="queued") & ~models.Q(scope=""),
                name="job_scope_line",
            ),
            models.Index(
                Least("start_by", "deadline_at"),
                condition=models.Q(state="queued") & (models.Q(start_by__isnull=False) | models.Q(deadline_at__isnull=False)),
                name="job_out_of_time",
            ),
        )
        ordering = ("-id",)  # ids sort by the time of their making

    def __str__(self) -> str:
        return f"{self.task} {self.state}"


class Schedule(models.Model):
    """What the desk knows about one schedule besides its definition, whose name it bears.

    `handled_until` is the latest nominal slot that was looked at: slots up to it have their jobs, or were let go by the
    misfire policy. `is_on` and `rhythm` are what the beats remember between them of the definition; an empty rhythm: no beat
    has seen one yet.
    """

    name = models.CharField(max_length=200, primary_key=True)
    misfire = models.CharField(
        max_length=6,
        choices=[(m, m) for m in MISFIRES],
        default="latest",
        help_text="of several missed slots: the latest one runs, all run, or none",
    )
    grace_s = models.IntegerField(null=True, blank=True, help_text="a slot older than this is skipped")
    alert_after_s = models.IntegerField(null=True, blank=True, help_text="told as overdue after so long without success")
    handled_until = models.DateTimeField(null=True, blank=True)
    is_on = models.BooleanField(default=True, help_text="as the beats saw it last")
    rhythm = models.CharField(max_length=32, blank=True, default="", help_text="a digest of its times as the beats saw them")
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_slot_at = models.DateTimeField(null=True, blank=True)
    last_lateness_s = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
