"""Which known word may have been meant: only one within reach of a slip of the finger."""

from __future__ import annotations

import time

import pytest

from sync_worker.core.nearest import nearest

KNOWN = ["id", "title", "items_path", "result_path", "revision", "status", "value"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("titel", "title"),
        ("idd", "id"),
        ("items_pth", "items_path"),
        ("itemspath", "items_path"),
        ("Items_Path", "items_path"),
        ("reviion", "revision"),
        ("stars", None),
        ("xy", None),
        ("", None),
        ("path", None),
        ("rows_path", None),
    ],
)
def test_only_a_word_within_reach_is_meant(word: str, meant: str | None) -> None:
    assert nearest(word, KNOWN) == meant


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert nearest("title", []) is None


@pytest.mark.parametrize("letter", ["x", " ", "\u0130"])
def test_word_without_an_end_is_near_nothing_at_once(letter: str) -> None:
    """A program may send a megabyte as the name of a setting."""
    before = time.thread_time()
    assert nearest(letter * 1_000_000, KNOWN) is None
    assert time.thread_time() - before < 0.5
