"""Rules of the house that imports alone cannot show."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re

import pytest

from tests.architecture.houses import PRODUCT, ROOMS, ROOT, functions_of, imported_modules, place, python_files

CLOCKS = {
    "apps/core/clock.py",
    "apps/core/ids.py",
    "apps/resilience/clock.py",
    "project/local/clock.py",
}
FORBIDDEN_CALLS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("timezone", "now"),
    ("time", "time"),
    ("time", "sleep"),
    ("time", "monotonic"),
    ("time", "perf_counter"),
    ("random", "random"),
    ("secrets", "token_urlsafe"),
    ("secrets", "token_bytes"),
    ("asyncio", "sleep"),
}
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py"}


def _calls_on_names(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            yield node, node.func.value.id, node.func.attr


def test_time_and_randomness_are_read_in_one_place_only():
    found = []
    for path in python_files(*PRODUCT):
        if place(path) in CLOCKS:
            continue
        found += [
            f"{place(path, call)} {name}.{attribute}"
            for call, name, attribute in _calls_on_names(path)
            if (name, attribute) in FORBIDDEN_CALLS
        ]
    assert found == []


def test_no_room_imports_another_rooms_models():
    found = []
    for path in python_files("apps", "tasks"):
        parts = path.relative_to(ROOT).parts
        own = f"apps.{parts[1]}" if parts[0] == "apps" and len(parts) > 2 else "tasks"
        for module, node in imported_modules(path):
            hit = re.match(r"(apps\.\w+)\.models\b", module)
            if hit and hit.group(1) not in (own, "apps.core"):
                found.append(f"{place(path, node)} {module}")
    assert found == []


def test_there_are_no_django_signals():
    found = [
        f"{place(path, node)} {module}"
        for path in python_files(*PRODUCT)
        for module, node in imported_modules(path)
        if module.startswith(("django.dispatch", "django.db.models.signals", "django.core.signals"))
    ]
    assert found == []


def test_imports_stand_at_the_top():
    found = [
        place(path, inner)
        for path in python_files(*PRODUCT)
        for node in functions_of(path)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert found == []


def test_no_room_keeps_a_drawer_for_odds_and_ends():
    assert [place(path) for path in python_files(*PRODUCT) if path.name in FORBIDDEN_NAMES] == []


def test_nothing_is_swallowed_in_silence():
    found = [
        place(path, node)
        for path in python_files(*PRODUCT)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
    ]
    assert found == []


def _service_functions():
    for room in ROOMS:
        for name in _modules_of(f"apps.{room}.services"):
            module = importlib.import_module(name)
            for function_name, function in vars(module).items():
                if inspect.isfunction(function) and not function_name.startswith("_") and function.__module__ == name:
                    yield f"{name}.{function_name}", function


def _modules_of(name: str) -> list[str]:
    path = ROOT / name.replace(".", "/")
    if path.is_dir():
        return [name, *(f"{name}.{entry.name}" for entry in pkgutil.iter_modules([str(path)]))]
    return [name] if path.with_suffix(".py").exists() else []


def test_every_service_says_its_transaction_kind():
    functions = dict(_service_functions())
    assert len(functions) > 40
    unsaid = [name for name, function in functions.items() if not hasattr(function, "transaction_kind")]
    assert unsaid == []


def test_every_service_takes_keywords_only():
    wrong = [
        name
        for name, function in _service_functions()
        if any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in inspect.signature(function).parameters.values())
    ]
    assert wrong == []


def test_every_public_function_of_services_and_selectors_has_a_docstring():
    bare = [
        place(path, node)
        for path in python_files("apps")
        if path.stem in ("services", "selectors") or path.parent.name in ("services", "selectors")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert bare == []


def test_every_requirement_says_why_it_is_here():
    bare = [
        f"{path.name}: {line}"
        for path in sorted((ROOT / "requirements").glob("*.in"))
        for line in path.read_text().splitlines()
        if line.strip() and not line.startswith(("#", "-")) and "#" not in line
    ]
    assert bare == []


def test_redis_is_not_silently_downgraded():
    pinned = re.search(r"^redis==(\d+)\.(\d+)", (ROOT / "requirements/base.txt").read_text(), re.M)
    assert pinned is not None
    assert (int(pinned.group(1)), int(pinned.group(2))) >= (8, 1)


@pytest.mark.parametrize("name", ["base", "desk", "dev"])
def test_requirements_carry_hashes_and_no_registry(name):
    text = (ROOT / f"requirements/{name}.txt").read_text()
    pins = re.findall(r"^[a-zA-Z0-9_.\-\[\]]+==", text, re.M)
    assert len(pins) > 50
    assert text.count("--hash=sha256:") >= len(pins)
    assert not re.search(r"https?://|--index-url|--find-links|--extra-index-url", text)
