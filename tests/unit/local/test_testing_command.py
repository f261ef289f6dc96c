"""How bin/test calls pytest."""

from __future__ import annotations

import pytest

from project.local.testing import pytest_command


def test_two_workers_by_default():
    assert pytest_command(["tests/unit"])[-3:] == ["-n", "3", "tests/unit"]


@pytest.mark.parametrize("words", [["-n", "0"], ["-n4"], ["--numprocesses=1"], ["-p", "no:xdist"], ["--pdb"]])
def test_a_choice_of_the_caller_stands(words):
    assert pytest_command(words)[1:] == ["-m", "pytest", *words]
