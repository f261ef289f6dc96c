"""What went wrong in the queue: every failed task, and the work that was parked."""

from django.db import models

from apps.core.models import PrefixedIdField


class TaskFailure(models.Model):
    """One execution of a task that ended in an error."""

    id = models.BigAutoField(primary_key=True)
    task = models.CharField(max_length=120)
    task_id = models.CharField(max_length=60)
    kwargs = models.JSONField(default=dict)
    error = models.CharField(max_length=300)
    kind = models.CharField(max_length=16, choices=[(k, k) for k in ("expected", "transient", "unknown", "broken", "unexpected")])
    trace = models.TextField(blank=True, help_text="for staff only")
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at",)
        indexes = (models.Index(fields=("-at",), name="task_failure_newest"),)

    def __str__(self) -> str:
        return f"{self.task}: {self.error}"


class DeadLetter(models.Model):
    """Work that was parked: visible, replayable, discardable; never lost."""

    id = PrefixedIdField(prefix="dlt")
    task = models.CharField(max_length=120)
    kwargs = models.JSONField(default=dict)
    reason = models.CharField(max_length=300)
    trace = models.TextField(blank=True, help_text="for staff only")
    attempts = models.IntegerField()
    state = models.CharField(max_length=10, choices=[(s, s) for s in ("parked", "replayed", "discarded")])
    parked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ("-parked_at",)

    def __str__(self) -> str:
        return f"{self.task} {self.state}"
