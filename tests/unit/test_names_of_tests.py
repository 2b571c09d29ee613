"""A test's name is a sentence that fits a line of a report; its guarantee is in the docstring."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]

MAX_LENGTH = 70


# At the left edge, or within a class at the left edge.
NAMED = re.compile(
    r"^(?:class (?P<scope>\w+)|def (?P<name>test_\w+)|    def (?P<inner>test_\w+))", re.M
)


@cache
def names_by_scope() -> dict[str, list[str]]:
    """The tests of each module and of each class, in their order."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(TESTS.rglob("test_*.py")):
        path = str(file.relative_to(TESTS))
        scope = path
        for one in NAMED.finditer(file.read_text(encoding="utf-8")):
            if one["scope"]:
                scope = f"{path}:{one['scope']}"
            elif one["name"]:
                found[path].append(one["name"])
            else:
                found[scope].append(one["inner"])
    return found


def test_names_of_tests_are_short() -> None:
    names = [name for names in names_by_scope().values() for name in names]
    assert len(names) > 500
    assert [name for name in names if len(name) > MAX_LENGTH] == []


def test_no_test_hides_another_of_its_name() -> None:
    twice = {
        place: names for place, names in names_by_scope().items() if len(names) != len(set(names))
    }
    assert twice == {}
