"""What the API shows of the house itself: tenants, audit, backups, the caller."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

Rows = serializers.Serializer[dict[str, Any]]


class TenantSerializer(Rows):
    """One owner of portfolios and books."""

    id = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class AuditEventSerializer(Rows):
    """One deed: who did what to which thing, when."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    tenant = serializers.CharField()
    actor = serializers.CharField()
    action = serializers.CharField()
    subject = serializers.CharField()
    detail = serializers.JSONField()
    digest = serializers.CharField()


class BackupSerializer(Rows):
    """One dump and its checksum."""

    id = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    size_bytes = serializers.IntegerField()
    checksum = serializers.CharField()
    server_version = serializers.CharField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField()


class MembershipSerializer(Rows):
    """The caller's role in one tenant."""

    tenant_id = serializers.CharField()
    tenant_slug = serializers.CharField(source="tenant__slug")
    role = serializers.CharField()


class MeSerializer(Rows):
    """Who the desk thinks the caller is."""

    kind = serializers.ChoiceField(choices=["user", "ops"])
    username = serializers.CharField()
    is_staff = serializers.BooleanField()
    memberships = MembershipSerializer(many=True)
