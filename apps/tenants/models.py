"""Tenants: every book, limit and portfolio belongs to one."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from apps.core.models import PrefixedIdField
from apps.resilience.paced_turns import WEIGHT_MAX


class Tenant(models.Model):
    """One owner of portfolios and books."""

    id = PrefixedIdField(prefix="tnt")
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=8, help_text="the currency of its books, e.g. USDC")
    is_active = models.BooleanField(default=True)
    queue_weight = models.SmallIntegerField(
        default=1,
        db_default=1,  # for what writes rows without this column, such as the release before
        validators=(MinValueValidator(1), MaxValueValidator(WEIGHT_MAX)),
        help_text="its share of a source's calls while other tenants wait too: weight 3 gets three for each one of weight 1",
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(queue_weight__range=(1, WEIGHT_MAX)), name="tenant_queue_weight_in_range"),
        )
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug
