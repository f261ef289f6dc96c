"""What can go wrong in this room."""

from apps.core.errors import NotFound


class TenantNotFound(NotFound):
    """There is no active tenant of this name."""

    code = "tenant-not-found"
