"""Words from outside: what no database holds is kept by stand-ins, and goes back as it came."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent
from sync_worker.core.words import TOO_DEEP, as_received, bounded, is_storable, is_usable_id, shown
from tests.hostile import DEPTH, IDS, MARKUP, NUMBERS, WORDS, nested

EVERYTHING = {**NUMBERS, **WORDS, **IDS, **MARKUP, **DEPTH}
# Surrogates and NUL among them, but not what stands for those.
ANY_TEXT = st.text(st.characters(codec=None), max_size=12).filter(lambda text: shown(text) == text)


def words_in(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [word for pair in value.items() for part in pair for word in words_in(part)]
        case list():
            return [word for part in value for word in words_in(part)]
        case _:
            return []


@pytest.mark.parametrize("name", EVERYTHING)
def test_hostile_json_is_read_at_once_into_words_a_database_holds(name: str) -> None:
    before = time.thread_time()
    try:
        value = exact_json.loads(EVERYTHING[name])
    except ValueError:
        value = None
    assert all(is_storable(word) for word in words_in(value))
    exact_json.dumps(value).encode()
    assert time.thread_time() - before < 0.5


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.lists(ANY_TEXT, max_size=3), max_size=3))
def test_what_is_sent_back_is_what_came(value: dict[str, Any]) -> None:
    """Keys too; what we did not change goes back to its system as it was."""
    read = exact_json.loads(json.dumps(value))
    assert all(is_storable(word) for word in words_in(read))
    # As Python reads it: two surrogates in their order are one character.
    assert json.loads(as_received(exact_json.dumps(read))) == json.loads(json.dumps(value))


@given(ANY_TEXT)
def test_word_survives_the_ledger(word: str) -> None:
    (read,) = exact_json.loads(json.dumps([word]))
    with sqlite3.connect(":memory:") as ledger:
        (kept,) = ledger.execute("SELECT ?", [exact_json.dumps([read])]).fetchone()
    ledger.close()
    assert exact_json.loads_own(kept) == [read]


@pytest.mark.parametrize("code", [0x10D7FC, 0x10D7FD, 0x10D7FE, 0x10D7FF, 0x10D83D, 0x10DFFF])
@pytest.mark.parametrize("is_escaped", [True, False])
def test_character_that_is_like_a_stand_in_goes_back_as_it_came(
    code: int, is_escaped: bool
) -> None:
    """Also beside what has a stand-in, and twice."""
    text = f"a{chr(code)}b\ud83d{chr(code)}{chr(code)}"
    if not is_escaped:
        text = text.replace("\ud83d", "")
    read = exact_json.loads(json.dumps(text, ensure_ascii=is_escaped))
    assert is_storable(read)
    assert json.loads(as_received(exact_json.dumps(read))) == text


def test_cut_emoji_is_shown_as_a_broken_character_and_names_nothing() -> None:
    cut = exact_json.loads(r'"good \ud83d"')
    assert shown(cut) == "good \ufffd"
    assert not is_usable_id(cut, 500)
    assert not is_usable_id(exact_json.loads(r'"a\u0000b"'), 500)
    assert exact_json.loads(r'"good \ud83d\ude00"') == "good \U0001f600"


@pytest.mark.parametrize("depth", [1, 50, 100])
def test_nesting_within_the_bound_is_read(depth: int) -> None:
    assert exact_json.dumps(exact_json.loads(nested(depth))) == nested(depth)


@pytest.mark.parametrize("depth", [101, 900, 100_000])
def test_nesting_beyond_the_bound_is_left_out_and_never_sent_back(depth: int) -> None:
    """What stands beside it is read: one record does not take its page along."""
    deep, good = exact_json.loads(f'[{{"more": {nested(depth)}}}, {{"score": 4}}]')
    assert good == {"score": 4}
    assert TOO_DEEP in exact_json.dumps(deep)
    with pytest.raises(Permanent, match="nested too deeply"):
        as_received(exact_json.dumps(deep))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 900,
        "]" * 900,
        '["' + '\\"[' * 50_000,
        "[" * 2_000 + '\\"' * 100_000 + "\\",
    ],
)
def test_nesting_without_an_end_is_no_json_at_once(text: str) -> None:
    before = time.thread_time()
    with pytest.raises(ValueError, match=r"line 1|does not end"):
        exact_json.loads(text)
    assert time.thread_time() - before < 0.5


def test_document_of_too_many_values_is_no_json() -> None:
    with pytest.raises(ValueError, match="200,000 values"):
        exact_json.loads("[" + "1," * 200_001 + "1]")


@pytest.mark.parametrize("text", ["12345678901234567890", "0.1000", "1E+400", "-1.5E-7"])
def test_number_within_the_bound_keeps_every_digit(text: str) -> None:
    assert exact_json.dumps(exact_json.loads(text)) == text


@pytest.mark.parametrize("text", ["1" * 1001, "1e1001", "1e-99999999999999999", "0." + "1" * 1001])
def test_number_beyond_the_bound_is_kept_as_its_text(text: str) -> None:
    assert exact_json.loads(f"[{text}]") == [text]


def test_word_that_the_ledger_has_no_room_for_is_permanent() -> None:
    assert bounded("x" * 256, 256, "the entity's id")
    with pytest.raises(Permanent, match="the entity's id is longer than 256") as refused:
        bounded("x" * 100_000, 256, "the entity's id")
    assert refused.value.reason == "malformed_record"
    assert len(refused.value.message) < 120
