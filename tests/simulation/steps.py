"""Tests of every step of a story, in two parts: each eighth one, and all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

Choice = Callable[[Sequence[int]], list[int]]


def each_eighth(steps: Sequence[int]) -> list[int]:
    return list(steps[::8])


def all_others(steps: Sequence[int]) -> list[int]:
    return [step for place, step in enumerate(steps) if place % 8]


def in_two_parts() -> pytest.MarkDecorator:
    """Gives a test its ``chosen``: the second part is left to `make test-all`."""
    further = pytest.param(all_others, id="further", marks=pytest.mark.full)
    return pytest.mark.parametrize("chosen", [pytest.param(each_eighth, id="first"), further])
