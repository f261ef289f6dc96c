"""Roles, from least to most; each may do what those before it may."""

from typing import Literal

Role = Literal["consumer", "trader", "staff", "owner"]
ROLES: tuple[Role, ...] = ("consumer", "trader", "staff", "owner")


def is_at_least(role: Role, needed: Role) -> bool:
    """Return whether `role` may do what `needed` may."""
    return ROLES.index(role) >= ROLES.index(needed)
