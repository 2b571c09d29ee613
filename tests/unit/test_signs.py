"""The hard signs of plain code: sizes, depth of inheritance, dense expressions.

``python -m benchmarks.signs --violations`` prints the same, beside the figures that are no limits.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.signs import ROOT, Code, Source, violations


def test_product_keeps_within_each_sign() -> None:
    """One test for all of them: the product is read and parsed once."""
    found = violations(Code(ROOT))
    assert len(found) > 5
    assert {sign: places for sign, places in found.items() if places} == {}


DENSE = """
told = say(one if is_one else other)
many = [one if is_one else other for one in all]
last = one if is_one else (other if is_other else None)
plain = one if is_one else other
"""


def test_dense_if_expressions_are_found_and_a_plain_one_is_not() -> None:
    found = Source(Path(), "sync_worker/engine/some.py", DENSE).dense_expressions()
    assert sorted(found) == [
        "sync_worker/engine/some.py:2 in argument",
        "sync_worker/engine/some.py:3 in comprehension",
        "sync_worker/engine/some.py:4 in if-expression",
    ]
