"""One cell: what a spreadsheet has changed is refused with its reason, and nothing is guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.files.cells import BadCell, email_of, id_within, number_of, plain
from sync_worker.files.csv_lines import cell_text, csv_line

MANGLED = {
    "1.23E+15": "1.23E+15 looks like a number that a spreadsheet has rounded; take the id from",
    "1,23E+15": "1,23E+15 looks like a number that a spreadsheet has rounded",
    "1E+15": "1E+15 looks like a number that a spreadsheet has rounded",
    "1.234570e+12": "looks like a number that a spreadsheet has rounded",
    "7.0": "7.0 looks like a number that a spreadsheet has written; is the id 7?",
    "7891234567890.0": "looks like a number that a spreadsheet has written; is",
    "7,00": "7,00 looks like a number that a spreadsheet has written; is the id 7?",
    '="0012"': '="0012" is a spreadsheet\'s formula; write what it shows',
    "=1+1": "=1+1 is a spreadsheet's formula",
    "'=1+1": "=1+1 is a spreadsheet's formula",
    "'0012345": "begins with the apostrophe that a spreadsheet puts before a text; remove it",
    "#REF!": "#REF! is a spreadsheet's error, no id",
    "#N/A": "#N/A is a spreadsheet's error, no id",
    "#NV": "#NV is a spreadsheet's error, no id",
    "#N/V": "#N/V is a spreadsheet's error, no id",
    "#Н/Д": "#Н/Д is a spreadsheet's error, no id",
    "#WERT!": "#WERT! is a spreadsheet's error, no id",
    "#BEZUG!": "#BEZUG! is a spreadsheet's error, no id",
    "#NOM?": "#NOM? is a spreadsheet's error, no id",
    "#¡VALOR!": "#¡VALOR! is a spreadsheet's error, no id",
    "Err:522": "Err:522 is a spreadsheet's error, no id",
    "########": "######## is what a spreadsheet shows where a column is too narrow",
    "TRUE": "TRUE says true or false, it is no id",
    "True": "True says true or false, it is no id",
    "false": "false says true or false, it is no id",
    "WAHR": "WAHR says true or false, it is no id",
    "\uff14\uff12": "has a digit in it that is none of 0 to 9 (U+FF14); write the id as its",
    "\u0664": "has a digit in it that is none of 0 to 9 (U+0664)",
    "NaN": "NaN stands for no value, it is no id",
    "null": "null stands for no value",
    "[object Object]": "[object Object] stands for no value",
    "w-4\u200b": "has an invisible character in it (U+200B); remove it",
    "\u2060w": "has an invisible character in it (U+2060)",
    "a\xa0b": "has an invisible character in it (U+00A0)",
    "\u202ecod": "has an invisible character in it (U+202E)",
    "a\x1bb": "has an invisible character in it (U+001B)",
    "a\r\nb": "has an invisible character in it (U+000D)",
    "caf\ufffd": "has a broken character (\ufffd) in it: it was saved in another encoding",
    "a\0b": "has a NUL or half a character in it",
    "a\ud83d": "has a NUL or half a character in it",
    "x" * 257: "is longer than 256 characters",
}


@pytest.mark.parametrize("text", MANGLED)
def test_mangled_id_is_refused_with_its_own_reason(text: str) -> None:
    with pytest.raises(BadCell) as refused:
        id_within(text, 256)
    assert str(refused.value).find(MANGLED[text]) in (0, str(refused.value).find("looks like"))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        *((same, same) for same in ("SKU-1", "0012", "12e4", "5E3", "-5", "@x", "+49", "v1.5")),
        *(
            (same, same)
            for same in (
                "1.23",
                "größe",
                "商品",
                "a b",
                "7.10",
                "#1",
                "[x]",
                "#",
                "m²",
                "Vero",
                "#2/3",
                "#a",
                "",
            )
        ),
        (" P1\xa0", "P1"),
        ("'-5", "-5"),
        ("'@x", "@x"),
    ],
)
def test_id_as_its_system_wrote_it_is_taken(text: str, read: str) -> None:
    assert id_within(text, 256) == read


@pytest.mark.parametrize(
    ("text", "number"),
    [("4", "4"), ("4.5", "4.5"), ("4,5", "4.5"), (" 4,0 ", "4.0"), ("+4", "4"), ("-0", "0")],
)
def test_number_with_point_or_comma_is_read(text: str, number: str) -> None:
    assert number_of(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    [
        *("5 stars", "4/5", "★★★★☆", "80%", "five", "NaN", "Infinity", "1_0", "٤", "１"),
        *("4,5,6", "4.5,0", ",5", "--4", "4 5", "1e20000000", "9" * 40),
    ],
)
def test_other_form_of_a_rating_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(BadCell, match=r"write the value alone, such as 4 or 4\.5"):
        number_of(text)


@pytest.mark.parametrize("text", ["05-Apr", "5. Mai", "Apr-05", "2026-05-04", "4.5.", "4.5.2026"])
def test_date_that_a_spreadsheet_made_of_a_rating_is_named(text: str) -> None:
    with pytest.raises(BadCell, match="looks like a date that a spreadsheet has made of a number"):
        number_of(text)


@pytest.mark.parametrize("text", ["1,000", "12,345,678"])
def test_comma_that_may_part_thousands_is_not_guessed(text: str) -> None:
    with pytest.raises(BadCell, match="may be thousands or decimals; write it without the comma"):
        number_of(text)


def test_address_is_its_identity_or_refused() -> None:
    assert email_of(" Ada@Example.COM ") == "ada@example.com"
    assert email_of("") == ""
    for text in ("ada", "a@b, c@d", "mailto:a@b.example", "a\u200b@b.example"):
        with pytest.raises(BadCell, match="is not an e-mail address"):
            email_of(text)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-5", "'-5"),
        ("@x", "'@x"),
        (" =1", "' =1"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("a\x1b[2Jb\0\x7f\x85", "a␛[2Jb␀␡\ufffd"),
        ("two\nlines", "two\nlines"),
        ("plain", "plain"),
        (Decimal("-5"), "-5"),
        (-5, "-5"),
        (None, ""),
        ("half \ud83d", "half \ufffd"),
    ],
)
def test_nothing_that_is_written_runs_or_hides(value: object, written: str) -> None:
    assert cell_text(value) == written
    csv_line([value]).encode()


@pytest.mark.parametrize("text", ["-5", "+49", "@x", "=1+1", "plain", "a;b", 'a"b'])
def test_guard_against_formulas_is_taken_off_again(text: str) -> None:
    assert plain(cell_text(text)) == text
