"""Sources, the log of every fetch, and the quarantine for what was not believed."""

from __future__ import annotations

from django.db import models

SOURCE_STATES = ("on", "off", "paused")
ANALYST_STATES = ("reserved", "done", "failed")


class Source(models.Model):
    """A vendor as the desk uses it. Its address and key are settings, never rows."""

    slug = models.CharField(max_length=30, primary_key=True)
    name = models.CharField(max_length=80)
    state = models.CharField(max_length=10, choices=[(state, state) for state in SOURCE_STATES], default="on")
    state_reason = models.CharField(max_length=300, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    pace_per_minute = models.IntegerField(
        null=True, blank=True, help_text="calls a minute at most, set by staff; empty: as published"
    )

    class Meta:
        ordering = ("slug",)
        constraints = (
            models.CheckConstraint(condition=models.Q(pace_per_minute__gte=1), name="source_pace_is_positive"),
            models.CheckConstraint(condition=models.Q(state__in=SOURCE_STATES), name="source_state_is_known"),
            models.CheckConstraint(condition=models.Q(state="on") | ~models.Q(state_reason=""), name="closed_source_says_why"),
        )

    def __str__(self) -> str:
        return self.name


class FetchLog(models.Model):
    """One fetch: what was asked of a source, how long it took, and what came of it."""

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="fetches")
    operation = models.CharField(max_length=30)
    by = models.CharField(max_length=120)
    started_at = models.DateTimeField()
    duration_ms = models.IntegerField()
    outcome = models.CharField(max_length=40, help_text="ok, incomplete, kept (an older answer), or the code of the error")
    http_status = models.SmallIntegerField(null=True, blank=True)
    calls = models.IntegerField(help_text="HTTP requests, repeats included")
    bytes = models.BigIntegerField()
    payload_digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 over the bodies, in order")
    rate_wait_ms = models.IntegerField(help_text="time spent waiting for free slots of the limiter")
    breaker_state = models.CharField(max_length=10)
    records = models.IntegerField()
    rejected = models.IntegerField()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("source", "operation", "-started_at"), name="fetchlog_source_operation"),
            models.Index(fields=("started_at",), name="fetchlog_started"),
        )

    def __str__(self) -> str:
        return f"{self.source_id} {self.operation} {self.outcome}"


class FetchCall(models.Model):
    """One call of a fetch: a page, a batch of books. Repeats of the same call are counted in `attempts`."""

    id = models.BigAutoField(primary_key=True)
    fetch = models.ForeignKey(FetchLog, on_delete=models.CASCADE, related_name="call_rows")
    position = models.IntegerField(help_text="0 is the first call that ended")
    path = models.CharField(max_length=200, help_text="below the vendor's address, without parameters and without the key")
    outcome = models.CharField(max_length=40, help_text="ok, or the code of the error")
    http_status = models.SmallIntegerField(null=True, blank=True)
    duration_ms = models.IntegerField()
    attempts = models.IntegerField()
    bytes = models.BigIntegerField()
    payload_digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the body")
    rate_wait_ms = models.IntegerField()
    breaker_state = models.CharField(max_length=10)

    class Meta:
        ordering = ("fetch", "position")
        constraints = (models.UniqueConstraint(fields=("fetch", "position"), name="one_call_per_position"),)

    def __str__(self) -> str:
        return f"{self.path} {self.outcome}"


class ErrandPart(models.Model):
    """What is kept of an errand that was broken off to wait for its slot: an answer, or something decided on the way."""

    id = models.BigAutoField(primary_key=True)
    errand = models.CharField(max_length=200)
    name = models.CharField(max_length=80)
    told = models.JSONField()
    body = models.BinaryField()
    kept_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("errand", "name"), name="one_part_of_an_errand_per_name"),)

    def __str__(self) -> str:
        return f"{self.errand}: {self.name}"


class Quarantine(models.Model):
    """Something that a vendor said and the desk did not believe. The same thing said again is counted, not kept twice."""

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="quarantined")
    operation = models.CharField(max_length=30)
    reason = models.CharField(max_length=300)
    row_key = models.CharField(max_length=200, blank=True, help_text="the vendor's own key of the row, when it has one")
    excerpt = models.CharField(max_length=2000, blank=True)
    payload_digest = models.CharField(max_length=64)
    at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    seen_count = models.IntegerField(default=1)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "quarantine"
        constraints = (models.UniqueConstraint(fields=("source", "payload_digest", "reason"), name="one_quarantine_per_fault"),)
        indexes = (models.Index(fields=("source", "-last_seen_at"), name="quarantine_source_seen"),)

    def __str__(self) -> str:
        return f"{self.source_id}: {self.reason}"


class AnalystCall(models.Model):
    """One question to the analyst and its bill in US dollars; the worst case is reserved before the call is made.

    What is `reserved` and never finished (its process died) stays counted at the worst case until the day is over.
    """

    id = models.BigAutoField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="analyst_calls")
    day = models.DateField(help_text="the day (UTC) whose budget it is charged to")
    question_digest = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=[(state, state) for state in ANALYST_STATES], default="reserved")
    outcome = models.CharField(max_length=40, blank=True, help_text="ok, or the code of the error")
    reserved_cost = models.DecimalField(max_digits=16, decimal_places=8)
    cost = models.DecimalField(max_digits=16, decimal_places=8, null=True, blank=True)
    prompt_tokens = models.IntegerField(null=True, blank=True)
    completion_tokens = models.IntegerField(null=True, blank=True)
    by = models.CharField(max_length=120)
    asked_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=models.Q(state__in=ANALYST_STATES), name="analyst_state_is_known"),
            models.CheckConstraint(
                condition=models.Q(state="reserved", cost__isnull=True)
                | models.Q(cost__isnull=False, cost__gte=0) & ~models.Q(state="reserved"),
                name="finished_analyst_call_has_cost",
            ),
        )
        indexes = (
            models.Index(fields=("day",), name="analyst_day"),
            models.Index(fields=("question_digest",), condition=models.Q(state="reserved"), name="analyst_under_way"),
        )

    def __str__(self) -> str:
        return f"{self.source_id} {self.day} {self.state}"
