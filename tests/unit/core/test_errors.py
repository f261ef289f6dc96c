"""The tree of errors is complete and its codes are unique."""

from __future__ import annotations

import importlib

from apps.core import errors
from tests.architecture.houses import ROOMS, ROOT


def _all(kind):
    """Yield the errors of the rooms below `kind`; tests make some of their own."""
    for child in kind.__subclasses__():
        if child.__module__.startswith("apps."):
            yield child
        yield from _all(child)


def _load_every_room():
    for room in ROOMS:
        if (ROOT / "apps" / room / "errors.py").exists():
            importlib.import_module(f"apps.{room}.errors")


def test_every_error_has_a_code_of_its_own():
    _load_every_room()
    codes: dict[str, list[str]] = {}
    for error in set(_all(errors.DeskError)):
        codes.setdefault(error.code, []).append(f"{error.__module__}.{error.__name__}")
    assert {code: names for code, names in codes.items() if len(names) > 1} == {}
    assert len(codes) > 10


def test_every_error_says_what_it_means():
    _load_every_room()
    assert [error.__name__ for error in _all(errors.DeskError) if not (error.__doc__ or "").strip()] == []


def test_an_error_carries_when_to_come_again_and_the_field():
    error = errors.Transient("busy", retry_after_s=2.5)
    assert (str(error), error.retry_after_s, error.field) == ("busy", 2.5, None)
    assert errors.Invalid("too long", field="slug").field == "slug"


def test_an_error_without_words_says_its_public_message():
    assert str(errors.NotFound()) == "Not found."
