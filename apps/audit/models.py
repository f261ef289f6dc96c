"""Audit events, seals over them, and which event is under which seal: append-only by trigger. And what waits for a seal."""

from django.db import models

from apps.core.models import PrefixedIdField


class Event(models.Model):
    """One deed: who did what to which thing, when. No foreign keys, so that memory never hinders life."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    tenant = models.CharField(max_length=40, blank=True)
    actor = models.CharField(max_length=120)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    detail = models.JSONField()
    digest = models.CharField(max_length=64, help_text="SHA-256 over the canonical form of the row")

    class Meta:
        indexes = (
            models.Index(fields=("subject", "id"), name="audit_event_subject"),
            models.Index(fields=("action", "-id"), name="audit_event_action"),
        )
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class Seal(models.Model):
    """A signed link of the chain over a batch of events."""

    id = PrefixedIdField(prefix="sel")
    number = models.BigIntegerField(unique=True)
    sealed_at = models.DateTimeField()
    event_count = models.IntegerField()
    first_event_id = models.BigIntegerField()
    last_event_id = models.BigIntegerField()
    previous_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)

    class Meta:
        ordering = ("-number",)

    def __str__(self) -> str:
        return f"seal {self.number}"


class SealedEvent(models.Model):
    """Under which seal an event lies, and where in it. An event that commits late simply lies under a later seal."""

    event_id = models.BigIntegerField(primary_key=True)
    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, related_name="members")
    position = models.IntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("seal", "position"), name="one_event_per_seal_position"),)

    def __str__(self) -> str:
        return f"{self.event_id} under {self.seal_id}"


class UnsealedEvent(models.Model):
    """An event that waits for its seal: written beside the event, removed beside the seal.

    Finding what to seal costs as much as there is to seal, however many events there are; and an event that is neither
    here nor under a seal was smuggled in.
    """

    event_id = models.BigIntegerField(primary_key=True)

    def __str__(self) -> str:
        return f"{self.event_id} waits"
