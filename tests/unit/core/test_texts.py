"""Words of both sides: normal form, conversion, and the laws that keep them from looping."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_worker.core import exact_json
from sync_worker.core.values.texts import (
    PLAIN,
    TextRule,
    TooLong,
    WordsField,
    normal_form,
    storable,
    told,
    written,
)

HTML = TextRule(is_html=True)
RULES = {
    "plain": PLAIN,
    "plain, at most 20": TextRule(max_length=20),
    "HTML": HTML,
    "HTML, at most 255": TextRule(is_html=True, max_length=255),
    "HTML, required": TextRule(
        is_html=True, required=True, placeholder="(rated without a comment)"
    ),
    "plain, required": TextRule(max_length=3_000, required=True, placeholder="Rating"),
}
PIECES = ["<p>", "</p>", "<br />\n", "&amp;", "&#8217;", "\\'", "'", '"', "<", "&", "\r\n", "\n\n"]
PIECES += [
    "é",
    "e\u0301",
    "😀",
    "\u202eabc",
    "\u200b",
    "\ud83d",
    "\x00",
    " ",
    "\t",
    "word",
    "(Rating)",
]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=30).map("".join)
SYSTEMS = st.sampled_from(list(RULES.values()))


@given(TEXTS, SYSTEMS)
def test_normal_form_of_a_normal_form_is_itself(text: str, rule: TextRule) -> None:
    once = normal_form(text, rule)
    assert normal_form(once) == once


@given(TEXTS, SYSTEMS)
def test_normal_form_does_not_see_how_a_database_holds_it(text: str, rule: TextRule) -> None:
    assert normal_form(storable(text), rule) == normal_form(text, rule)
    storable(text).encode()
    assert "\x00" not in storable(text)


@given(TEXTS, SYSTEMS, SYSTEMS)
def test_what_was_carried_over_agrees_with_where_it_came_from(
    text: str, here: TextRule, there: TextRule
) -> None:
    field = WordsField("body", there, here, cuts=True)
    assert field.agree(field.carried("wix", text, None), text)


@given(TEXTS, SYSTEMS, SYSTEMS)
def test_writing_what_was_read_changes_nothing(text: str, here: TextRule, there: TextRule) -> None:
    """There and back again: the side it came from still says what it said."""
    field = WordsField("body", there, here)
    try:
        carried = field.carried("wix", text, None)
        back = field.carried("external", carried, None)
    except TooLong:
        return
    assert field.is_unchanged("external", text, back)
    assert field.is_unchanged("wix", carried, field.carried("wix", back, None))


@given(TEXTS, SYSTEMS, SYSTEMS)
def test_what_is_carried_over_fits_or_is_refused(
    text: str, here: TextRule, there: TextRule
) -> None:
    field = WordsField("body", there, here, cuts=True)
    carried = field.carried("wix", text, None)
    assert there.max_length is None or len(carried) <= there.max_length


def test_html_of_a_shop_says_the_same_as_its_plain_text() -> None:
    shown = "<p>It&#8217;s fine &amp; sturdy.</p>\n<p>Buy\u00a0it!<br />\nReally.</p>\n"
    assert told(shown, HTML) == "It’s fine & sturdy.\nBuy it!\nReally."
    assert normal_form("It’s fine & sturdy.\r\n\r\nBuy it!\nReally.  ") == normal_form(shown, HTML)


def test_plain_text_keeps_its_lines_and_spaces_as_it_crosses() -> None:
    field = WordsField("body", PLAIN, PLAIN)
    assert field.carried("wix", "One  two \r\n\r\n  three\r\n", None) == "One  two\n\n  three"


def test_plain_text_is_no_markup_where_markup_counts() -> None:
    field = WordsField("body", PLAIN, HTML)
    assert (
        field.carried("external", "a <b>bold</b> & co", None)
        == "a &lt;b&gt;bold&lt;/b&gt; &amp; co"
    )
    assert field.agree("a <b>bold</b> & co", "a &lt;b&gt;bold&lt;/b&gt; &amp; co")


def test_composed_and_decomposed_letters_are_one() -> None:
    assert normal_form(unicodedata.normalize("NFD", "Café")) == "Café"


def test_placeholder_counts_as_empty_both_ways() -> None:
    field = WordsField("body", PLAIN, RULES["HTML, required"])
    assert field.carried("external", "", None) == "(rated without a comment)"
    assert field.carried("wix", "(rated without a comment)", None) == ""
    assert field.is_unchanged("external", None, "(rated without a comment)")


def test_too_long_a_text_is_refused_or_cut_by_policy() -> None:
    short = TextRule(max_length=10)
    with pytest.raises(TooLong, match="12 characters, and 10 at most"):
        WordsField("title", short, PLAIN).carried("wix", "twelve signs", None)
    cut = WordsField("title", short, PLAIN, cuts=True).carried("wix", "twelve signs", None)
    assert cut == "twelve si…"
    assert written("&" * 20, TextRule(is_html=True, max_length=12), cuts=True) == "&amp;&amp;…"


def test_shortened_text_never_covers_the_whole_one() -> None:
    """Wix shows what was cut for it; edited there, it must not replace all that was written."""
    field = WordsField("title", TextRule(max_length=10), PLAIN, cuts=True)
    with pytest.raises(TooLong, match="shortened"):
        field.carried("external", "twelve si.", "twelve signs")
    assert field.carried("external", "short", "as short") == "short"


def test_half_of_an_emoji_is_broken_on_the_other_side_too() -> None:
    """Where JSON is read a private character stands for it, which nobody else knows."""
    read = exact_json.loads('"cut \\ud83d off"')
    assert storable(read) == "cut \ufffd off"
    assert written(told(read, PLAIN), PLAIN) == "cut \ufffd off"
    assert normal_form(read) == normal_form("cut \ufffd off")


@pytest.mark.parametrize("most", [0, -1])
def test_rule_that_takes_no_character_is_refused(most: int) -> None:
    """No text is short enough for it, not even the sign of a cut."""
    with pytest.raises(ValueError, match="at least 1 character; leave out words"):
        TextRule(max_length=most)


@pytest.mark.parametrize("is_html", [False, True])
def test_one_character_is_enough_for_a_cut(is_html: bool) -> None:
    rule = TextRule(max_length=1, is_html=is_html)
    assert written("&&&", rule, cuts=True) == "…"
