"""A general double-entry book: accounts, entries made of postings, and holds. It has never heard of a bet."""

from django.db import models

from apps.core.models import PrefixedIdField, minor_field
from apps.ledger.rules import ACCOUNT_KINDS

HOLD_STATES = ("open", "captured", "voided")


class Account(models.Model):
    """One account of one tenant; `balance_minor` is debit minus credit and is held against the postings by verify_books."""

    id = PrefixedIdField(prefix="acc")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=80, help_text="e.g. shadow:cash")
    kind = models.CharField(max_length=10, choices=[(kind, kind) for kind in ACCOUNT_KINDS])
    currency = models.CharField(max_length=8)
    balance_minor = minor_field(default=0)
    held_minor = minor_field(default=0)
    may_go_negative = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "code"), name="one_account_per_code"),
            models.CheckConstraint(condition=models.Q(kind__in=ACCOUNT_KINDS), name="account_kind_known"),
            models.CheckConstraint(condition=models.Q(held_minor__gte=0), name="account_held_not_negative"),
            models.CheckConstraint(
                condition=models.Q(may_go_negative=True) | models.Q(balance_minor__gte=models.F("held_minor")),
                name="account_covers_its_holds",
            ),
        )
        ordering = ("tenant", "code")

    def __str__(self) -> str:
        return self.code


class Entry(models.Model):
    """One balanced booking. Its reference makes it idempotent; a correction is a new entry that mirrors it."""

    id = PrefixedIdField(prefix="ent")
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="+")
    reference = models.CharField(max_length=120, help_text="opaque to this room, e.g. fill:fil_…")
    kind = models.CharField(max_length=40)
    line_count = models.SmallIntegerField(help_text="how many postings it has; none is added later")
    reverses = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversed_by")
    booked_at = models.DateTimeField()
    by = models.CharField(max_length=120)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "reference"), name="one_entry_per_reference"),
            models.CheckConstraint(condition=models.Q(line_count__gte=2), name="entry_has_two_lines"),
        )
        indexes = (models.Index(fields=("tenant", "-booked_at"), name="ledger_entry_newest"),)
        ordering = ("-booked_at", "-id")

    def __str__(self) -> str:
        return self.reference


class Posting(models.Model):
    """One side of an entry: positive is debit, negative is credit. The postings of an entry sum to zero per currency."""

    id = models.BigAutoField(primary_key=True)
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="postings")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="postings")
    amount_minor = minor_field()

    class Meta:
        constraints = (models.CheckConstraint(condition=~models.Q(amount_minor=0), name="posting_not_zero"),)

    def __str__(self) -> str:
        return f"{self.account_id} {self.amount_minor}"


class Hold(models.Model):
    """Money set aside on an account until it is captured by an entry or voided."""

    id = PrefixedIdField(prefix="hld")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds")
    reference = models.CharField(max_length=120)
    amount_minor = minor_field()
    state = models.CharField(max_length=10, choices=[(s, s) for s in HOLD_STATES], default="open")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("account", "reference"), name="one_hold_per_reference"),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="hold_positive"),
            models.CheckConstraint(condition=models.Q(state__in=HOLD_STATES), name="hold_state_known"),
            models.CheckConstraint(
                condition=models.Q(state="open", ended_at__isnull=True)
                | (~models.Q(state="open") & models.Q(ended_at__isnull=False)),
                name="hold_end_has_its_time",
            ),
        )
        indexes = (models.Index(fields=("account",), condition=models.Q(state="open"), name="ledger_hold_open"),)

    def __str__(self) -> str:
        return f"{self.reference} {self.state}"
