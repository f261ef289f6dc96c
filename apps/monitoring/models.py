"""What went wrong in the queue: every failed task."""

from django.db import models


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
