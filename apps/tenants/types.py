"""What crosses the threshold of this room."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantView:
    """A tenant as other rooms see it."""

    id: str
    slug: str
    name: str
    currency: str
