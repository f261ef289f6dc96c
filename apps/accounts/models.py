"""Users and their membership of tenants."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from apps.accounts.roles import ROLES


class User(AbstractUser):
    """A person or program that may come in; ours from the first day, so that it can grow."""


class Membership(models.Model):
    """What a user may do in one tenant."""

    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=12, choices=[(role, role) for role in ROLES])
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "tenant"), name="one_membership_per_user_and_tenant"),)

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role} of {self.tenant_id}"
