"""What the API shows of the queue: dead letters and schedules."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

Rows = serializers.Serializer[dict[str, Any]]


class DeadLetterSerializer(Rows):
    """Work that failed too often, or came too late, and waits for a person."""

    id = serializers.CharField()
    task = serializers.CharField()
    kwargs = serializers.JSONField()
    queue = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class
    tenant = serializers.CharField()
    schedule = serializers.CharField()
    slot_at = serializers.DateTimeField(allow_null=True)
    state = serializers.CharField(help_text="parked or discarded")
    reason = serializers.CharField()
    attempts = serializers.IntegerField()
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField()
    parked_at = serializers.DateTimeField(source="finished_at", help_text="of a discarded one: when it was discarded")


class DeadLetterDetailSerializer(DeadLetterSerializer):
    """One dead letter with its traceback."""

    trace = serializers.CharField(allow_null=True, help_text="null for callers who are not staff with the right to act")


class DeedSerializer(Rows):
    """What became of a dead letter."""

    id = serializers.CharField()
    state = serializers.CharField(help_text="queued or discarded")


class ScheduleSerializer(serializers.Serializer[Any]):
    """A schedule that is on: what it did, and when it comes next."""

    name = serializers.CharField()
    task = serializers.CharField()
    misfire = serializers.CharField(help_text="of several missed slots: the latest one runs, all run, or none (skip)")
    grace_s = serializers.IntegerField(allow_null=True)
    last_success_at = serializers.DateTimeField(allow_null=True)
    last_slot_at = serializers.DateTimeField(allow_null=True)
    last_lateness_s = serializers.FloatField(allow_null=True)
    next_at = serializers.ListField(child=serializers.DateTimeField())
    alert_after_s = serializers.FloatField(allow_null=True)
    is_overdue = serializers.BooleanField(help_text="it cannot run, or has not succeeded for longer than alert_after_s")
    fault = serializers.CharField(help_text="why it cannot run")


class SchedulePageSerializer(serializers.Serializer[Any]):
    """All schedules, shaped as the pages of other lists; there is one page."""

    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = ScheduleSerializer(many=True)
