"""Kinds of errors, as failures are counted by them. Pure."""

from __future__ import annotations

from apps.core import errors


def kind_of(error: BaseException) -> str:
    """Return the kind of an error: expected, transient, unknown, broken, or unexpected for everything not in the tree."""
    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (errors.Expected, "expected"),
        (errors.Transient, "transient"),
        (errors.OutcomeUnknown, "unknown"),
        (errors.Broken, "broken"),
    )
    return next((name for kind, name in kinds if isinstance(error, kind)), "unexpected")
