"""The guide to the kit is run and type-checked as a user would write it."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import subprocess
import sys
import textwrap
from types import CodeType

import pytest

import apps.resilience
from apps.resilience import configure_rates
from tests.architecture.houses import ROOT

GUIDE = (ROOT / "docs" / "kit.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.M | re.S)


@pytest.fixture
def default_rates():
    yield
    configure_rates()


def test_the_examples_of_the_guide_do_what_they_say(default_rates):
    async def run_all() -> None:
        names: dict[str, object] = {"__name__": "guide"}
        for example in EXAMPLES:
            code: CodeType = compile(example, "docs/kit.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            ended = eval(code, names)  # code with top-level await gives a coroutine
            if inspect.isawaitable(ended):
                await ended

    assert len(EXAMPLES) == 10
    asyncio.run(run_all())


def test_the_examples_of_the_guide_are_strictly_typed(tmp_path):
    user = tmp_path / "user.py"
    body = textwrap.indent("\n".join(EXAMPLES), "    ")
    user.write_text(f"async def main() -> None:\n{body}\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}"]
    checked = subprocess.run([*command, str(user)], check=False, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert checked.stdout.splitlines() == ["Success: no issues found in 1 source file"], checked.stdout + checked.stderr


def test_what_the_guide_names_is_exported():
    named = set(re.findall(r"from apps\.resilience import (.+)", "\n".join(EXAMPLES)))
    imported = {name.strip() for line in named for name in line.split(",")}
    assert imported - set(apps.resilience.__all__) == set()
    assert sorted(apps.resilience.__all__, key=lambda name: (not name.isupper(), name)) == apps.resilience.__all__
