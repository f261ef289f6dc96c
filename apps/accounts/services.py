"""Writing users and memberships."""

from __future__ import annotations

from datetime import datetime

from apps.accounts.models import Membership, User
from apps.accounts.roles import Role
from apps.accounts.types import StaffUser
from apps.audit import services as audit
from apps.core.db import transaction


@transaction
def ensure_staff_user(*, username: str, password: str, tenant_id: str, role: Role, by: str, now: datetime) -> StaffUser:
    """Make a staff user with this password unless the name is taken; an existing user keeps password and role."""
    user = User.objects.filter(username=username).first()
    if user is not None:
        return StaffUser(username=username, password=None)
    user = User.objects.create_superuser(username=username, password=password)
    Membership.objects.create(user=user, tenant_id=tenant_id, role=role, created_at=now)
    audit.record(action="user.created", subject=f"user:{user.pk}", by=by, now=now, detail={"username": username, "role": role})
    return StaffUser(username=username, password=password)
