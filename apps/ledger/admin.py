"""The book in the admin: to read, never to write."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.admin import TabularInline

from apps.core.read_only import ReadOnly, ReadOnlyAdmin
from apps.ledger.models import Account, Entry, Hold, Posting


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Accounts with what is on them and what is held; amounts in minor units."""

    list_display = ("code", "tenant", "kind", "currency", "balance_minor", "held_minor", "available_minor", "may_go_negative")
    list_filter = ("kind", "currency", "tenant")
    list_select_related = ("tenant",)
    search_fields = ("code", "=id")

    @admin.display(description="available minor")
    def available_minor(self, account: Account) -> int:
        """Return the balance without what is held."""
        return int(account.balance_minor - account.held_minor)


class PostingInline(ReadOnly, TabularInline):
    """The lines of one entry."""

    model = Posting
    fields = ("account", "amount_minor")
    extra = 0


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """Entries, newest first, each with its lines."""

    list_display = ("reference", "kind", "booked_at", "tenant", "by", "reverses")
    list_filter = ("kind", "tenant")
    list_select_related = ("tenant", "reverses")
    search_fields = ("=id", "reference")
    date_hierarchy = "booked_at"
    inlines = (PostingInline,)


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    """Single lines, to follow one account."""

    list_display = ("id", "account", "amount_minor", "entry", "booked_at")
    list_select_related = ("account", "entry")
    search_fields = ("=entry__reference", "=account__code")

    @admin.display(description="booked at", ordering="entry__booked_at")
    def booked_at(self, posting: Posting) -> Any:
        """Return when the entry of this line was booked."""
        return posting.entry.booked_at


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    """Money set aside."""

    list_display = ("reference", "account", "amount_minor", "state", "created_at", "ended_at")
    list_filter = ("state",)
    list_select_related = ("account",)
    search_fields = ("=id", "reference")
    date_hierarchy = "created_at"
