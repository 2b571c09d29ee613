"""Words between Wix Reviews and each shipped connector that carries them, by its declared rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_worker.core.ports.remote import words_between
from sync_worker.core.values import Policy, Side
from sync_worker.core.values.texts import TooLong, WordsField
from sync_worker.manifest.loader import SHIPPED, load_manifest
from sync_worker.manifest.source.resolving import Placeholders
from sync_worker.remotes.wix.reviews import CAPABILITIES

PIECES = ["<p>", "</p>", "<br />\n", "&amp;", "&#8217;", "\\'", '"', "<", "&", "\r\n", "\n\n", "😀"]
PIECES += ["e\u0301", "\u05e9\u05dc\u05d5\u05dd", "\u200b", "\ud83d", "\x00", "\t", " ", "x" * 300]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=20).map("".join)


def _fields() -> list[WordsField]:
    fields: list[WordsField] = []
    for file in sorted(SHIPPED.glob("*.yaml")):
        outside = load_manifest(file, Placeholders({})).capabilities
        capabilities = {Side.WIX: CAPABILITIES, Side.EXTERNAL: outside}
        fields += words_between(capabilities, Policy(), ()).values()
    return fields


FIELDS = list(dict.fromkeys(_fields()))


def test_some_connectors_carry_words() -> None:
    assert {field.name for field in FIELDS} == {"title", "body"}


@pytest.mark.parametrize("field", FIELDS, ids=str)
@settings(max_examples=60)
@given(text=TEXTS, side=st.sampled_from(Side))
def test_writing_what_was_read_changes_nothing(field: WordsField, text: str, side: Side) -> None:
    """What goes to the other side, and back from there, is what its side said already."""
    try:
        carried = field.carried(side.other, text, None)
        back = field.carried(side, carried, None)
    except TooLong:
        return
    assert field.is_unchanged(side, text, back)
    wix, external = (text, carried) if side is Side.WIX else (carried, text)
    assert field.agree(wix, external)
