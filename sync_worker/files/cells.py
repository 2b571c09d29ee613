"""One cell of a person's file: what it says, or why it is refused. All readers use these words.

A spreadsheet changes what looks like a number as it opens a file: ``1234567890123456`` becomes
``1.23E+15``, ``0012`` becomes ``12``, ``7`` becomes ``7.0``. Such an id names another thing, or
nothing, so it is refused instead of guessed.
"""

from __future__ import annotations

import re
from decimal import Decimal

from sync_worker.core.email_identity import is_usable, normalise_email
from sync_worker.core.numbers import BadNumber, exact_number
from sync_worker.core.words import MAX_EMAIL, is_storable
from sync_worker.files.csv_lines import FORMULA_SIGNS

SHOWN = 40  # characters of a bad cell in a message
MAX_NUMBER = 2_000  # characters of a number; exact_number takes no more digits than half of that

_ROUNDED = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]\d+|[+-]?\d+[.,]\d+[eE]\d+", re.ASCII)
_WITH_ZEROS = re.compile(r"([+-]?\d+)[.,]0+", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+", re.ASCII)
_DECIMAL_COMMA = re.compile(r"([+-]?\d+),(\d+)", re.ASCII)
_MONTH = (
    r"(?:jan|feb|fév|mar|mär|apr|avr|may|mai|jun|jui|jul|aug|aoû|sep|oct|okt|nov|dec|dez|déc)"
    r"[^\W\d]*\.?"
)
_DATE = re.compile(
    rf"\d{{1,2}}[-. ]+{_MONTH}(?:[-. ]+\d{{2,4}})?|{_MONTH}[-. ]+\d{{2,4}}"
    r"|\d{4}-\d\d-\d\d|\d{1,2}\.\d{1,2}\.(?:\d{2,4})?",
    re.IGNORECASE,
)
# In the languages of spreadsheets: #REF!, #BEZUG!, #NOM?; #N/A, #N/V, #NV; LibreOffice's Err:522.
_ERROR = re.compile(r"#\S*[^\W\d_]\S*[!?]|#[^\W\d_]/[^\W\d_]{1,4}|#nv|err:\d{3}", re.IGNORECASE)
_TOO_NARROW = re.compile(r"#{2,}")
_YES_OR_NO = re.compile(
    r"(?i:true|false)|WAHR|FALSCH|VRAI|FAUX|VERDADERO|VERDADEIRO|FALSO|WAAR|ONWAAR|PRAWDA|ИСТИНА|ЛОЖЬ"
)
_NOTHING = frozenset({"nan", "null", "none", "undefined", "n/a", "(null)", "[object object]"})
_BROKEN = "\ufffd"  # what a program writes where it could not read a character


class BadCell(Exception):
    """A cell is not taken; the words say why."""


def plain(text: str) -> str:
    """The text without blanks around it, and without our own guard against formulas."""
    bare = text.strip()
    if bare[:1] == "'" and bare[1:].lstrip()[:1] in FORMULA_SIGNS:
        return bare[1:].strip()
    return bare


def text_within(text: str, most: int) -> str:
    """A text that the ledger keeps; may be empty. Raises BadCell."""
    bare = plain(text)
    if not is_storable(bare):
        raise BadCell("has a NUL or half a character in it, which no text has")
    if len(bare) > most:
        raise BadCell(f"is longer than {most} characters")
    return bare


def id_within(text: str, most: int) -> str:
    """An id as its system wrote it; may be empty. Raises BadCell where a program has changed it."""
    bare = text_within(text, most)
    refuse_formula(bare)
    if bare.startswith("'"):
        raise BadCell("begins with the apostrophe that a spreadsheet puts before a text; remove it")
    if _ROUNDED.fullmatch(bare):
        raise BadCell(
            f"{bare[:SHOWN]} looks like a number that a spreadsheet has rounded; take the id from"
            " where it came from, as text"
        )
    if with_zeros := _WITH_ZEROS.fullmatch(bare):
        raise BadCell(
            f"{bare[:SHOWN]} looks like a number that a spreadsheet has written; is the id"
            f" {with_zeros[1][:SHOWN]}?"
        )
    _refuse_word_of_a_spreadsheet(bare)
    if bare.lower() in _NOTHING:
        raise BadCell(f"{bare} stands for no value, it is no id")
    _refuse_invisible(bare)
    _refuse_foreign_digit(bare)
    return bare


def refuse_formula(text: str) -> None:
    """Raises BadCell."""
    if text.startswith("="):
        raise BadCell(f"{text[:SHOWN]} is a spreadsheet's formula; write what it shows")


def _refuse_word_of_a_spreadsheet(text: str) -> None:
    shown = text[:SHOWN]
    if _ERROR.fullmatch(text):
        raise BadCell(f"{shown} is a spreadsheet's error, no id")
    if _TOO_NARROW.fullmatch(text):
        raise BadCell(
            f"{shown} is what a spreadsheet shows where a column is too narrow; take the id from"
            " where it came from"
        )
    if _YES_OR_NO.fullmatch(text):
        raise BadCell(f"{shown} says true or false, it is no id")


def _refuse_foreign_digit(text: str) -> None:
    """Some programs write digits of another script, and no system finds the id by them."""
    for sign in text:
        if sign.isdecimal() and not sign.isascii():
            raise BadCell(
                f"has a digit in it that is none of 0 to 9 (U+{ord(sign):04X}); write the id as its"
                " system does"
            )


def _refuse_invisible(text: str) -> None:
    if _BROKEN in text:
        raise BadCell(f"has a broken character ({_BROKEN}) in it: it was saved in another encoding")
    if text.isprintable():
        return
    character = next(character for character in text if not character.isprintable())
    raise BadCell(f"has an invisible character in it (U+{ord(character):04X}); remove it")


def number_of(text: str) -> Decimal:
    """The number that a cell says, also with a decimal comma. Raises BadCell."""
    bare = plain(text)
    if len(bare) > MAX_NUMBER:
        raise BadCell(f"{bare[:SHOWN]} … is too long for a number; write the value alone")
    if _GROUPED.fullmatch(bare):
        raise BadCell(f"{bare[:SHOWN]} may be thousands or decimals; write it without the comma")
    if _DATE.fullmatch(bare):
        raise BadCell(
            f"{bare[:SHOWN]} looks like a date that a spreadsheet has made of a number; write the"
            " number"
        )
    try:
        return exact_number(_DECIMAL_COMMA.sub(r"\1.\2", bare) if "," in bare else bare)
    except BadNumber as bad:
        raise BadCell(f"{bad}; write the value alone, such as 4 or 4.5") from None


def email_of(text: str) -> str:
    """The identity of the address in a cell; empty if it is. Raises BadCell."""
    bare = text_within(text, MAX_EMAIL)
    if bare and not is_usable(bare):
        raise BadCell(f"{bare[:MAX_EMAIL]!r} is not an e-mail address")
    return normalise_email(bare)
