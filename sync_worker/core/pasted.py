"""Values as people paste them, from editors, shells and web pages; pure.

What an editor adds (byte order mark, line ends, quotes) goes; what stands in the place of a value
(an example, a comment) is told.
"""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Iterable

from sync_worker.core.errors import Misconfigured

BYTE_ORDER_MARK = "\ufeff"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
QUOTES = "\"'"
# A whole value that only says what belongs there.
PLACEHOLDER = re.compile(
    r'…+|\.{3,}|\*{3,}|x{3,}|-{3,}|<[^<>]*>|\[[^"]*\]|\{[^"]*\}|'
    r"\$\{\w+\}|(?-i:\$[A-Z][A-Z_]+|%[A-Z_]+%)|•{3,}|●{3,}|changeit|undefined|"
    r"(your|replace|insert|enter|paste|put)([-_ ].*)?|change[-_ ]?me|to-?do|tbd|fixme|placeholder",
    re.IGNORECASE | re.DOTALL,
)
# Within an address only what no real one holds.
PLACEHOLDER_IN_ADDRESS = re.compile(r"…|<[^<>]*>|YOUR[-_]|://[^/@]*\{[^{}]*\}[^@]*$")
# What text programs put in the place of the quotes of a keyboard.
TYPOGRAPHIC_QUOTES = frozenset("\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b")
# Similar enough to be a slip, and not the name of another program's setting.
SLIP = 0.85


def text_of(data: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 as Windows writes it, without its byte order mark.

    Raises ValueError if it is none.
    """
    text = data.decode("utf-16" if data.startswith(UTF16) else "utf-8")
    if "\0" in text:
        raise ValueError("it holds zero bytes")
    return text.removeprefix(BYTE_ORDER_MARK)


def bare(text: str) -> str:
    """A value without blanks, line ends or a pair of quotes around it."""
    text = text.strip().removeprefix(BYTE_ORDER_MARK).strip()
    if len(text) > 1 and text[0] in QUOTES and text[-1] == text[0]:
        return text[1:-1]
    return text


def secret_of(name: str, path: str, data: bytes, *, is_one_line: bool = False) -> str:
    """The secret that a file holds. Raises Misconfigured, without a part of it."""
    try:
        secret = bare(text_of(data))
    except ValueError:
        raise Misconfigured(f"{name}_FILE: {path} is no text (UTF-8)") from None
    if not secret:
        raise Misconfigured(f"{name}_FILE: {path} is empty; write the value of {name} into it")
    if re.match(rf"(export\s+)?{re.escape(name)}\s*=", secret):
        raise Misconfigured(f"{name}_FILE: {path} holds {name}=…; only the value belongs into it")
    lines = len(secret.splitlines())
    if is_one_line and lines > 1:
        raise Misconfigured(
            f"{name}_FILE: {path} holds {lines} lines; only the value belongs into it, without"
            " comments"
        )
    return secret


def is_placeholder(value: str) -> bool:
    """Whether a value is still an example's, such as ``YOUR_SECRET`` or ``…``."""
    if "://" in value:
        return PLACEHOLDER_IN_ADDRESS.search(value) is not None
    return PLACEHOLDER.fullmatch(value.strip()) is not None


def unsendable_in(value: str) -> str:
    """The first character that no header and no form carries whole, in words without the value.

    Empty if there is none. A PEM goes over several lines.
    """
    text = value
    if value.startswith("-----BEGIN "):
        text = value.replace("\r", "").replace("\n", "")
    for sign in text:
        if sign in TYPOGRAPHIC_QUOTES:
            return f"U+{ord(sign):04X} (a typographic quote)"
        if sign in "\r\n":
            return f"U+{ord(sign):04X} (a line break)"
        if not sign.isprintable():
            return f"U+{ord(sign):04X} (an invisible character)"
    return ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one is likely to mean."""
    close = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=SLIP)
    return close[0] if close else None
