"""Settlements: one in force per market and tenant."""

from django.db import models

from apps.core.models import PrefixedIdField, minor_field, price_field, units_field


class Settlement(models.Model):
    """The settling of one market for one tenant by one revision of its result."""

    id = PrefixedIdField(prefix="stl")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    market = models.ForeignKey("markets.Market", on_delete=models.PROTECT, related_name="+")
    result_id = models.CharField(max_length=40)
    revision = models.IntegerField()
    kind = models.CharField(max_length=8, choices=[("final", "final"), ("void", "void")])
    paid_minor = minor_field(default=0)
    realised_minor = minor_field(default=0)
    settled_at = models.DateTimeField()
    reversed_at = models.DateTimeField(null=True, blank=True)
    reversed_reason = models.CharField(max_length=300, blank=True)
    by = models.CharField(max_length=120)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("market", "tenant"), condition=models.Q(reversed_at__isnull=True), name="one_settlement_in_force"
            ),
        )
        indexes = (models.Index(fields=("tenant", "result_id"), name="settlement_of_result"),)
        ordering = ("-settled_at",)

    def __str__(self) -> str:
        return f"{self.market_id} for {self.tenant_id}"


class SettlementLine(models.Model):
    """What one position was paid."""

    id = models.BigAutoField(primary_key=True)
    settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, related_name="lines")
    position = models.ForeignKey("portfolio.Position", on_delete=models.PROTECT, related_name="+")
    outcome = models.ForeignKey("markets.Outcome", on_delete=models.PROTECT, related_name="+")
    units = units_field()
    payout = price_field(help_text="per unit")
    cost_minor = minor_field()
    fees_minor = minor_field()
    paid_minor = minor_field()
    realised_minor = minor_field()
    entry_id = models.CharField(max_length=40, blank=True, help_text="empty when no money moved")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("settlement", "position"), name="one_line_per_position"),)

    def __str__(self) -> str:
        return f"{self.position_id} {self.paid_minor}"
