"""Tests of every step of a story, in three parts: each eighth one, each second one, all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

Choice = Callable[[Sequence[int]], list[int]]


def each_eighth(steps: Sequence[int]) -> list[int]:
    return list(steps[::8])


def each_second(steps: Sequence[int]) -> list[int]:
    """But for each eighth one."""
    return [step for place, step in enumerate(steps) if place % 2 == 0 and place % 8]


def all_others(steps: Sequence[int]) -> list[int]:
    return list(steps[1::2])


def in_three_parts(*marks: pytest.MarkDecorator) -> pytest.MarkDecorator:
    """Gives a test its ``chosen``: the second part is left to `make test-all`, the third one to
    `make test-long`. ``marks``: of the first part.
    """
    first = pytest.param(each_eighth, id="first", marks=marks)
    further = pytest.param(each_second, id="further", marks=pytest.mark.full)
    others = pytest.param(all_others, id="others", marks=pytest.mark.long)
    return pytest.mark.parametrize("chosen", [first, further, others])
