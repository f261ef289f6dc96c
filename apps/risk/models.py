"""Limits, decisions and the locks that protections and people set."""

from django.db import models

from apps.core.models import PrefixedIdField, minor_field


class Limits(models.Model):
    """The hard limits of one tenant, in its currency's minor units or as shares of the bankroll."""

    id = PrefixedIdField(prefix="lim")
    tenant = models.OneToOneField("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    position_size_max_minor = minor_field()
    positions_open_max = models.IntegerField()
    shadow_positions_open_max = models.IntegerField()
    daily_loss_max_minor = minor_field()
    concentration_max_share = models.FloatField(help_text="of the bankroll in one event")
    trade_max_minor = minor_field()
    drawdown_max_share = models.FloatField()
    category_max_share = models.FloatField()
    price_age_max_s = models.FloatField(help_text="divided by SCHEDULE_SPEED, as close_min_s")
    spread_max = models.FloatField()
    close_min_s = models.FloatField(help_text="no new position closer to the close than this")
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=120)

    class Meta:
        verbose_name_plural = "limits"

    def __str__(self) -> str:
        return f"limits of {self.tenant_id}"


class Lock(models.Model):
    """A named stop with an expiry: the kill switch, or a protection that tripped."""

    id = PrefixedIdField(prefix="lck")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    name = models.CharField(
        max_length=40, help_text="kill_switch, broken; daily_loss:<kind> and drawdown:<kind> stop one portfolio"
    )
    reason = models.CharField(max_length=300)
    set_by = models.CharField(max_length=120)
    set_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "name"), condition=models.Q(lifted_at__isnull=True), name="one_lock_in_force_per_name"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} of {self.tenant_id}"


class Decision(models.Model):
    """What risk said to one intent, with every check's figures. Append-only."""

    id = PrefixedIdField(prefix="dec")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    portfolio = models.ForeignKey("portfolio.Portfolio", on_delete=models.PROTECT, related_name="+")
    market_id = models.CharField(max_length=40)
    outcome_id = models.CharField(max_length=40)
    intent = models.JSONField()
    is_allowed = models.BooleanField()
    reasons = models.JSONField(help_text="codes of the checks that said no")
    checks = models.JSONField(help_text="per check: limit, figure, verdict")
    decided_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("portfolio", "outcome_id", "-decided_at"), name="decision_latest_of_outcome"),)
        ordering = ("-decided_at",)

    def __str__(self) -> str:
        return "allowed" if self.is_allowed else ", ".join(self.reasons)
