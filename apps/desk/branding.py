"""What the admin's frame says about where we are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest

COLOURS = {"local": "info", "test": "warning", "production": "danger"}


def environment_label(request: HttpRequest) -> list[str]:  # noqa: ARG001  # the theme calls it so
    """Return the environment's name and colour for the badge in the admin's header."""
    environment: str = settings.ENVIRONMENT
    return [f"{environment} · paper money" if settings.PAPER_TRADING else environment, COLOURS[environment]]
