"""JSON with exact decimals: numbers with a fraction are read as ``Decimal`` and written back digit
for digit. What comes from outside is bounded, and its words are such as a database holds.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import simplejson

from sync_worker.core.words import TOO_DEEP, with_stand_ins

MAX_DEPTH = 100  # lists and objects inside one another; real records have fewer than ten
MAX_VALUES = 200_000  # of one document: a page of a listing has some ten thousand
MAX_DIGITS = 1_000  # of a number, and the largest exponent; a double has 17, and 308

# Digits are counted from the first of a row on only, so that the search is linear.
_ABSURD_NUMBER = re.compile(
    rf"[0-9](?:(?<![0-9]{{2}})[0-9]{{{MAX_DIGITS}}}|[eE][+-]?[0-9]{{4}})", re.ASCII
)
# Possessive, and a text without an end goes to the end: each character is looked at once.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_NO_TEXT = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)|[\ud800-\udfff\U0010d7fd-\U0010dfff]")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else digits


def _fraction(text: str) -> Decimal | str:
    exponent = text.lower().partition("e")[2].lstrip("+-0")
    is_absurd = len(text) > MAX_DIGITS or int(exponent[:5] or 0) > MAX_DIGITS
    return text if is_absurd else Decimal(text)


dumps = simplejson.JSONEncoder(
    use_decimal=True, allow_nan=False, separators=(",", ":"), ensure_ascii=False
).encode
"""Compact JSON text.

Raises TypeError for what JSON cannot hold, ValueError for NaN and infinities.
"""

loads_own = simplejson.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant).decode
"""The value of a JSON text that ``dumps`` wrote: nothing in it needs a bound any more."""

_loads_absurd = simplejson.JSONDecoder(
    parse_float=_fraction, parse_int=_whole, parse_constant=_refuse_constant
).decode


def loads(text: str | bytes) -> Any:
    """The value of a JSON text from outside.

    A number beyond ``MAX_DIGITS`` is kept as its text: whoever wants a number there refuses it.
    What is nested deeper than ``MAX_DEPTH`` is left out (``TOO_DEEP`` in its place), so that one
    record does not take the others of its page along. What is no text gets stand-ins
    (``core/words.py``). Raises ValueError: for what is no JSON, also NaN, infinities and bad UTF-8,
    and for more than ``MAX_VALUES``.
    """
    if isinstance(text, bytes):
        text = text.decode()
    if text.count(",") > MAX_VALUES:
        raise ValueError(f"JSON of more than {MAX_VALUES:,} values")
    decode = loads_own if _ABSURD_NUMBER.search(text) is None else _loads_absurd
    try:
        value = decode(text)
    except RecursionError:
        value = decode(_without_depths(text))
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        value = decode(_without_depths(text))
    # The quick questions first: nearly no text has such words.
    may_be_no_text = "\\u" in text or not text.isascii()
    if may_be_no_text and _NO_TEXT.search(text) is not None:
        return with_stand_ins(value)
    return value


def _without_depths(text: str) -> str:
    """The text with ``TOO_DEEP`` in place of what is nested deeper than ``MAX_DEPTH``."""
    pieces, depth, place = [], 0, 0
    for token in _STRING_OR_BRACKET.finditer(text):
        sign = text[token.start()]
        if sign in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                pieces.append(text[place : token.start()])
        elif sign in "]}":
            if depth == MAX_DEPTH + 1:
                pieces.append(f'"{TOO_DEEP}"')
                place = token.end()
            depth -= 1
    if depth > MAX_DEPTH:
        raise ValueError("JSON that does not end")
    return "".join([*pieces, text[place:]])


def _is_deeper(value: Any, most: int) -> bool:
    """Level by level, as recursion is what is to be prevented."""
    level = [value]
    for _ in range(most):
        level = [part for node in level for part in _parts(node) if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def _parts(node: Any) -> Any:
    return node.values() if isinstance(node, dict) else node
