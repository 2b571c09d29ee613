"""What nobody foresaw ends in one line, and its own text may hold a secret."""

from __future__ import annotations

import requests

from sync_worker.cli.commands import _file_words, _unforeseen_words


def test_text_of_an_unforeseen_error_is_not_printed() -> None:
    try:
        raise ValueError("Bearer canary")
    except ValueError as error:
        words = _unforeseen_words(error)
    assert "canary" not in words
    assert "ValueError" in words
    assert "test_last_handler.py" in words


def test_text_of_a_library_about_a_header_is_not_printed() -> None:
    words = _file_words(requests.exceptions.InvalidHeader("'Bearer canary\nabc'"))
    assert "canary" not in words
    assert "InvalidHeader" in words
    assert _file_words(FileNotFoundError(2, "No such file", "a.csv")) == (
        "cannot read or write a.csv (No such file)"
    )
