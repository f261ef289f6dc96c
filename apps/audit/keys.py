"""The key that signs the seals. It is never in the database."""

from __future__ import annotations

from django.conf import settings

from apps.audit import chain


def signing_key() -> bytes:
    """Return the key of the seals: from a secret of their own, or derived from the site's secret."""
    own: str = settings.AUDIT_SIGNING_KEY
    return chain.derived_key(own or settings.SECRET_KEY)
