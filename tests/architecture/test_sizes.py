"""Small files, small functions, thin tasks."""

from __future__ import annotations

import statistics

from tests.architecture.houses import PRODUCT, FunctionNode, body_without_docstring, functions_of, place, python_files

FILE_LINES_MAX = 300
TEST_FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 40
FUNCTION_LINES_MEDIAN_MAX = 10
TASK_STATEMENTS_MAX = 8


def _lines(node: FunctionNode) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_files_stay_small():
    too_long = {
        place(path): count
        for path in python_files(*PRODUCT, "benchmarks")
        if (count := len(path.read_text().splitlines())) > FILE_LINES_MAX
    }
    assert too_long == {}


def test_test_files_stay_small():
    too_long = {
        place(path): count
        for path in python_files("tests")
        if (count := len(path.read_text().splitlines())) > TEST_FILE_LINES_MAX
    }
    assert too_long == {}


def test_functions_stay_small():
    too_long = {
        place(path, node): _lines(node)
        for path in python_files(*PRODUCT)
        for node in functions_of(path)
        if _lines(node) > FUNCTION_LINES_MAX
    }
    assert too_long == {}


def test_the_median_function_is_under_ten_lines():
    lengths = [_lines(node) for path in python_files(*PRODUCT) for node in functions_of(path)]
    assert len(lengths) > 100
    assert statistics.median(lengths) <= FUNCTION_LINES_MEDIAN_MAX


def _tasks():
    for path in python_files("tasks"):
        for node in functions_of(path):
            if any("shared_task" in (getattr(getattr(d, "func", d), "id", "")) for d in node.decorator_list):
                yield path, node


def test_tasks_are_thin():
    tasks = list(_tasks())
    assert len(tasks) > 10
    fat = {
        place(path, node): len(body_without_docstring(node))
        for path, node in tasks
        if len(body_without_docstring(node)) > TASK_STATEMENTS_MAX
    }
    assert fat == {}


def test_tasks_take_keywords_only_and_return_nothing():
    wrong = []
    for path, node in _tasks():
        positional = [argument.arg for argument in node.args.args if argument.arg != "self"]
        returns_nothing = node.returns is not None and getattr(node.returns, "value", "") is None
        if positional or node.args.kwarg is None or not returns_nothing:
            wrong.append(place(path, node))
    assert wrong == []
