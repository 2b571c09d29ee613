"""A test's name is a sentence that fits a line of a report; its guarantee is in the docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]

MAX_LENGTH = 70


def names_by_scope() -> Iterator[tuple[str, list[str]]]:
    """The tests of each module and of each class, in their order."""
    for file in sorted(TESTS.rglob("test_*.py")):
        module = ast.parse(file.read_text())
        path = file.relative_to(TESTS)
        yield str(path), names_in(module.body)
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                yield f"{path}:{node.name}", names_in(node.body)


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
