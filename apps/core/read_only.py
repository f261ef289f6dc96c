"""The base of admin pages for rows that only the services may write."""

from __future__ import annotations

from django.http import HttpRequest
from unfold.admin import ModelAdmin


class ReadOnly:
    """Takes away every way to change rows; put it before the admin or inline class."""

    def has_add_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """Nobody adds rows by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """Nobody changes rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """Nobody deletes rows."""
        return False


class ReadOnlyAdmin(ReadOnly, ModelAdmin):
    """Shows rows and offers no way to change them."""

    list_per_page = 50
    show_full_result_count = False  # counting a million rows for a page of fifty is not worth its time
