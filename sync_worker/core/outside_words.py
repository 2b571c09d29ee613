"""Words from outside where people see them, on terminals and in logs; pure.

An id may hold what a terminal obeys: escape sequences, or a text that runs backwards.
"""

from __future__ import annotations

import re

FIRST_UNICODE = 0x100
# Of a refusal's line: operation, status, code. What follows are the remote's own words.
CODE_OF_REFUSAL = re.compile(r"\w+(?:: \d{3}(?: \S+)?(?=: |$))?")


def for_people(text: str) -> str:
    """The text on one line, with every character that cannot be printed written as its number."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def shortened(text: str, most: int) -> str:
    """So many characters of a text, the last a sign of what was left out."""
    return text if len(text) <= most else text[: most - 1] + "…"


def lines_for_people(text: str) -> str:
    """The same for a text of several lines."""
    return "\n".join(map(for_people, text.split("\n")))


def _escaped(sign: str) -> str:
    code = ord(sign)
    if code < FIRST_UNICODE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def code_of_refusal(line: str) -> str:
    """What stays of a refusal's line in the history where its words go: a remote may quote ours."""
    found = CODE_OF_REFUSAL.match(line)
    return found.group() if found else ""
