"""Words between Wix Reviews and each shipped connector that carries them, by its declared rules."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_worker.core.ports.remote import words_between
from sync_worker.core.values import Policy, Side
from sync_worker.core.values.texts import TooLong, WordsField
from sync_worker.manifest.loader import SHIPPED, load_manifest, shipped_manifest
from sync_worker.manifest.source.resolving import Placeholders
from sync_worker.remotes.wix.reviews import CAPABILITIES

PIECES = ["<p>", "</p>", "<br />\n", "&amp;", "&#8217;", "\\'", '"', "<", "&", "\r\n", "\n\n", "😀"]
PIECES += ["e\u0301", "\u05e9\u05dc\u05d5\u05dd", "\u200b", "\ud83d", "\x00", "\t", " ", "x" * 300]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=20).map("".join)


CONNECTORS = sorted(file.stem for file in SHIPPED.glob("*.yaml"))


@cache
def fields_of(connector: str) -> list[WordsField]:
    """The words that it carries to and from Wix Reviews."""
    outside = load_manifest(shipped_manifest(connector), Placeholders({})).capabilities
    capabilities = {Side.WIX: CAPABILITIES, Side.EXTERNAL: outside}
    return list(words_between(capabilities, Policy(), ()).values())


def test_some_connectors_carry_words() -> None:
    names = {field.name for connector in CONNECTORS for field in fields_of(connector)}
    assert names == {"title", "body"}


@pytest.mark.parametrize("connector", CONNECTORS)
@settings(max_examples=60)
@given(text=TEXTS, side=st.sampled_from(Side))
def test_writing_what_was_read_changes_nothing(connector: str, text: str, side: Side) -> None:
    """What goes to the other side, and back from there, is what its side said already."""
    for field in fields_of(connector):
        try:
            carried = field.carried(side.other, text, None)
            back = field.carried(side, carried, None)
        except TooLong:
            continue
        assert field.is_unchanged(side, text, back)
        wix, external = (text, carried) if side is Side.WIX else (carried, text)
        assert field.agree(wix, external)
