"""Filters that every list shares."""

from __future__ import annotations

from typing import Any

from django_filters import rest_framework as filters  # type: ignore[import-untyped]  # the library has no types

ID_LENGTH_MAX = 40


class Filters(filters.FilterSet):  # type: ignore[misc]  # the library has no types
    """The base of every list's filters."""


def same(field: str | None = None, *, length_max: int = 120) -> filters.CharFilter:
    """Match a text exactly."""
    return filters.CharFilter(field_name=field, lookup_expr="exact", max_length=length_max)


def of_id(field: str, *, is_distinct: bool = False) -> filters.CharFilter:
    """Match the id of a related row; `is_distinct` where several related rows may match."""
    return filters.CharFilter(field_name=field, lookup_expr="exact", max_length=ID_LENGTH_MAX, distinct=is_distinct)


def one_of(*choices: str, field: str | None = None) -> filters.ChoiceFilter:
    """Match one of the known words."""
    return filters.ChoiceFilter(field_name=field, choices=[(choice, choice) for choice in choices])


def since(field: str) -> filters.IsoDateTimeFilter:
    """Match rows at or after a moment (RFC 3339)."""
    return filters.IsoDateTimeFilter(field_name=field, lookup_expr="gte")


def before(field: str) -> filters.IsoDateTimeFilter:
    """Match rows before a moment (RFC 3339)."""
    return filters.IsoDateTimeFilter(field_name=field, lookup_expr="lt")


def truth(field: str | None = None, *, lookup: str = "exact", is_negated: bool = False) -> filters.ChoiceFilter:
    """Match true or false; anything else is refused, where a plain boolean filter would let it pass as unset.

    `is_negated` turns the word round: "reversed" is true where `reversed_at__isnull` is false.
    """
    coerce = is_false if is_negated else is_true
    return filters.TypedChoiceFilter(
        field_name=field, lookup_expr=lookup, choices=[("true", "true"), ("false", "false")], coerce=coerce
    )


def is_true(word: Any) -> bool:
    """Read a word that the choices let through."""
    return bool(word == "true")


def is_false(word: Any) -> bool:
    """Read a word that the choices let through, turned round."""
    return bool(word == "false")
