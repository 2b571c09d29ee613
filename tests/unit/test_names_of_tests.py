"""A test's name is a sentence that fits a line of a report; its guarantee is in the docstring."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]

MAX_LENGTH = 70


@cache
def names_by_scope() -> list[tuple[str, list[str]]]:
    """The tests of each module and of each class, in their order."""
    found = []
    for file in sorted(TESTS.rglob("test_*.py")):
        module = ast.parse(file.read_text())
        path = file.relative_to(TESTS)
        found.append((str(path), names_in(module.body)))
        classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
        found += [(f"{path}:{node.name}", names_in(node.body)) for node in classes]
    return found


def names_in(body: list[ast.stmt]) -> list[str]:
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    return [name for name in functions if name.startswith("test_")]


def test_names_of_tests_are_short() -> None:
    names = [name for _, names in names_by_scope() for name in names]
    assert len(names) > 500
    assert [name for name in names if len(name) > MAX_LENGTH] == []


def test_no_test_hides_another_of_its_name() -> None:
    twice = {place: names for place, names in names_by_scope() if len(names) != len(set(names))}
    assert twice == {}
