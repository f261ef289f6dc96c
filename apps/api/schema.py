"""The API's description: its page, and what it says about signing in."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


class OpsTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself by being defined
    """Describes the ops token as a bearer."""

    target_class = "apps.api.authentication.OpsToken"
    name = "opsToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the scheme."""
        return {"type": "http", "scheme": "bearer"}


class SchemaView(SpectacularAPIView):
    """The OpenAPI document."""


class DocsView(SpectacularSwaggerSplitView):
    """The page that shows it."""

    url_name = "api-schema"
    template_name = "api/docs.html"
