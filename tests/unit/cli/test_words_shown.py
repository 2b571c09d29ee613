"""Words of others in tables: short, quoted, and nothing that a terminal obeys."""

from __future__ import annotations

from decimal import Decimal

from sync_worker.cli.history import value_words


def test_words_are_shown_short_and_harmless() -> None:
    assert value_words("a\n\x1b[31mb\u202e") == "“a\\x0a\\x1b[31mb\\u202e”"
    assert value_words("x" * 61) == "“" + "x" * 59 + "…”"
    assert (value_words(Decimal("4.5")), value_words(None), value_words("")) == ("4.5", "–", "“”")
