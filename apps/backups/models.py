"""The registry of backups and of the restores that prove them."""

from django.db import models

from apps.backups.retention import KINDS
from apps.core.models import PrefixedIdField

STATES = ("running", "done", "failed", "removed")


class Backup(models.Model):
    """One dump: where it lies, its checksum, what it holds."""

    id = PrefixedIdField(prefix="bkp")
    kind = models.CharField(max_length=10, choices=[(kind, kind) for kind in KINDS])
    state = models.CharField(max_length=10, choices=[(state, state) for state in STATES])
    path = models.CharField(max_length=500, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    checksum = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the file")
    content = models.JSONField(default=dict, help_text="per table: rows and content digest at the dump's snapshot")
    server_version = models.CharField(max_length=40, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(kind__in=KINDS), name="backup_kind_known"),
            models.CheckConstraint(condition=models.Q(state__in=STATES), name="backup_state_known"),
            models.CheckConstraint(
                condition=models.Q(state="running") | models.Q(finished_at__isnull=False), name="backup_end_has_its_time"
            ),
            models.CheckConstraint(condition=~models.Q(state="done") | ~models.Q(checksum=""), name="backup_done_has_checksum"),
        )
        ordering = ("-started_at",)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Restore(models.Model):
    """One proof: the backup was restored into a scratch server and compared."""

    id = PrefixedIdField(prefix="rst")
    backup = models.ForeignKey(Backup, on_delete=models.CASCADE, related_name="restores")
    is_good = models.BooleanField()
    tables_compared = models.IntegerField(default=0)
    rows_compared = models.BigIntegerField(default=0)
    differences = models.JSONField(default=list)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        ordering = ("-started_at",)

    def __str__(self) -> str:
        return f"restore of {self.backup_id}"
