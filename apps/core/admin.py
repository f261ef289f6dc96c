"""Who is inside a section of one process at a time: to read, never to write."""

from __future__ import annotations

from django.contrib import admin

from apps.core.models import Section
from apps.core.read_only import ReadOnlyAdmin


@admin.register(Section)
class SectionAdmin(ReadOnlyAdmin):
    """Sections that are held now, or whose holder died and nobody came after."""

    list_display = ("name", "holder", "until")
    search_fields = ("name",)
