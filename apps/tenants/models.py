"""Tenants: every book, limit and portfolio belongs to one."""

from django.db import models

from apps.core.models import PrefixedIdField


class Tenant(models.Model):
    """One owner of portfolios and books."""

    id = PrefixedIdField(prefix="tnt")
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=8, help_text="the currency of its books, e.g. USDC")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug
