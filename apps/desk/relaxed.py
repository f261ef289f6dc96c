"""A looser Content-Security-Policy for the admin's path alone.

The admin's theme evaluates expressions and sets inline styles; every other page keeps the strict policy of the
settings. Scripts still come from this server only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.urls import URLResolver
from django.urls.resolvers import RoutePattern

if TYPE_CHECKING:
    from django.urls import ResolverMatch

THEME_POLICY = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}


class RelaxedResolver(URLResolver):
    """Resolves as always and marks what it found with the theme's policy."""

    def resolve(self, path: str) -> ResolverMatch:
        """Return the match whose view answers with the looser policy."""
        match = super().resolve(path)
        match.func = csp_replace(THEME_POLICY)(match.func)
        return match


def admin_path(route: str, site_urls: tuple[Any, str, str]) -> RelaxedResolver:
    """Put the admin's urls under `route`, as `path(route, admin.site.urls)` does."""
    patterns, app_name, namespace = site_urls
    return RelaxedResolver(RoutePattern(route, is_endpoint=False), patterns, app_name=app_name, namespace=namespace)
