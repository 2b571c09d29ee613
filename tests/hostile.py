"""Values that cost, break or hide something in programs like this one: one list for every entrance.

Each is the text of one JSON value, so that it can say what Python's own writer would not. Add what
you meet in the wild: `test_hostile_values.py` throws all of it at every way in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sync_worker.core import exact_json

LONG = 100_000

NUMBERS: Mapping[str, str] = {
    "huge exponent": "1e20000000",
    "huger exponent": "1e100000000",
    "exponent beyond decimals": "1e99999999999999999999",
    "tiny exponent": "1e-20000000",
    "tinier than decimals": "1e-99999999999999999999",
    "zero with an exponent": "0e20000000",
    "a double's exponent": "1e400",
    "long whole number": "1" * LONG,
    "long fraction": "4." + "0" * LONG + "1",
    "over 64 bits": str(2**63),
    "below 64 bits": str(-(2**64)),
    "minus zero": "-0",
    "minus zero with a fraction": "-0.0",
    "true": "true",
    "null": "null",
    "a list": "[5]",
    "an object": '{"value": 5}',
    "text with a huge exponent": '"1e20000000"',
    "text of a long number": json.dumps("1" * LONG),
    "not a number": '"NaN"',
    "signaling not a number": '"sNaN"',
    "infinity": '"Infinity"',
    "minus infinity": '"-inf"',
    "underscores": '"5_0"',
    "full-width digit": '"５"',
    "arabic digit": '"٥"',
    "superscript digit": '"²"',
    "hexadecimal": '"0x5"',
    "empty text": '""',
    "two numbers": '"4/5"',
}
"""Where a number is due: a value, a revision, a count, a time."""

WORDS: Mapping[str, str] = {
    "high surrogate": r'"good \ud83d"',
    "low surrogate": r'"\ude00 good"',
    "surrogates in the wrong order": r'"\ude00\ud83d"',
    "surrogate before a letter": r'"\ud83dx"',
    "NUL": r'"a\u0000b"',
    "only NUL": r'"\u0000"',
    "control characters": r'"\u0001\u001b[2J\u007f\u0085"',
    "line ends": r'"a\r\nb\u2028c"',
    "right to left": r'"\u202ecod.exe"',
    "no character": r'"\uffff\ufffe"',
    "byte order mark": r'"\ufeffa"',
    "outside of the basic plane": json.dumps("\U0001f600 \U0010ffff"),
    "very long": json.dumps("x" * LONG),
    "very long, four bytes each": json.dumps("\U0001f600" * 30_000, ensure_ascii=False),
    "combining marks": json.dumps("e" + "\u0301" * 5_000),
    "SQL": json.dumps("'); DROP TABLE link; --"),
    "a format": json.dumps("{0.__class__} %s %(x)s ${jndi:ldap://x}"),
    "a path": json.dumps("../../etc/passwd"),
    "a formula": json.dumps("=cmd|' /C calc'!A0"),
    "a number": "5",
    "an object": '{"a": "b"}',
    "a list": '["a"]',
    "empty": '""',
    "blank": '"  "',
}
"""Where a text is due: names, addresses, titles, reviews."""

IDS: Mapping[str, str] = {
    **WORDS,
    "as long as an id may be": json.dumps("i" * 500),
    "longer than a column": json.dumps("i" * 513),
    "dots": '".."',
    "a query": json.dumps("7?force=true&x=/#"),
    "true": "true",
    "a fraction": "7.5",
    "long whole number": "7" * LONG,
    "null": "null",
}
"""Where an id is due: of a record, a rated thing, a delivery, a person."""

MARKUP: Mapping[str, str] = {
    name: json.dumps(text)
    for name, text in {
        "comments without end": "<!--" * 50_000,
        "tags without end": "<a " * 50_000,
        "sections without end": "<![CDATA[" * 25_000,
        "references without end": "&#" * 50_000,
        "references": "&amp" * 50_000,
        "ends without beginning": "</" * 50_000,
        "instructions": "<?xml " * 40_000,
        "declarations": "<!" * 50_000,
        "attributes without end": '<a b="' * 40_000,
        "scripts": "<script><!--" * 20_000,
        "nested": "<div>" * 50_000 + "deep",
        "formatting in paragraphs": "".join(f"<font x={n}><p>" for n in range(12_000)),
        "selections": "<select><b>" * 20_000,
    }.items()
}
"""Where a text may be HTML."""


def nested(depth: int) -> str:
    """A list in a list in a list."""
    return "[" * depth + "]" * depth


DEPTH: Mapping[str, str] = {
    "a hundred lists": nested(100),
    "a thousand lists": nested(1_000),
    "lists without number": nested(LONG),
    "objects": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "many keys": json.dumps({f"k{n}": n for n in range(20_000)}),
    "many items": json.dumps(list(range(40_000))),
}
"""Where anything may stand that nobody reads."""


def in_a_cell(value: str) -> str:
    """What a JSON value says, as a cell of CSV, a field of a form or an argument."""
    return str(exact_json.loads(value) if value.startswith('"') else value)
