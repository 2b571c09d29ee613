"""Texts of records: HTML as plain text. Pure, and in one pass.

Only the text is wanted, so nothing is built: parsers that make a tree by HTML's rules, and Python's
own before its patch releases of 2025, take minutes for a review that is made for it. What has no
end (a tag, a comment, a script) swallows the rest, as it does in a browser:
https://html.spec.whatwg.org/multipage/parsing.html#tokenization
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

BLOCKS = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "blockquote"})
SILENT = frozenset({"script", "style"})

# A quote counts after `=` only. Possessive: what does not fit is not tried again in another way,
# so that time grows with length.
_VALUE = r"""=\s*+(?:"[^"]*+"|'[^']*+')?+"""
_TAG = re.compile(rf"</?([a-zA-Z][^\s/>]*+)(?:[^>=]|{_VALUE})*+>")
_SILENT_END = re.compile("</(?:script|style)", re.IGNORECASE)
# No character has so long a number, and Python refuses to read thousands of digits.
_LONG_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")
# No characters, and by HTML's rules no entity says them: https://html.spec.whatwg.org/#noncharacter
_NO_CHARACTER = re.compile(
    f"[{''.join(chr(0x10000 * plane + low) for plane in range(1, 17) for low in (0xFFFE, 0xFFFF))}]"
)
_SPECIAL = re.compile(r"""<[a-zA-Z/!][^<>]*>|['"\\\U00010000-\U0010ffff]""")


def plain_text(html: str) -> str:
    """What a person reads: no tags, no entities, lines where blocks end."""
    text = unescape(_LONG_REFERENCE.sub("\ufffd", "".join(_pieces(html))))
    text = _NO_CHARACTER.sub("", text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def with_entities(html: str) -> str:
    """HTML that reads the same where systems add backslashes, or hold no character of four bytes.

    Quotes, backslashes and what lies beyond the basic plane stand as numbers; tags stay as they
    are.
    """
    return _SPECIAL.sub(_numbered, html)


def _numbered(match: re.Match[str]) -> str:
    found = match.group()
    # The form that WordPress keeps: https://developer.wordpress.org/reference/functions/wp_kses_normalize_entities2/
    return found if found.startswith("<") else f"&#{ord(found):03};"


def _pieces(html: str) -> Iterator[str]:
    """Text with its entities, and a line end for each block."""
    place = 0
    while (start := html.find("<", place)) >= 0:
        yield html[place:start]
        tag = _TAG.match(html, start)
        if tag is None:
            place = _after_markup(html, start)
            # A bare sign, as in `a < b`.
            if place == start:
                yield "<"
                place = start + 1
            continue
        place = tag.end()
        name = tag.group(1).lower()
        if name in BLOCKS:
            yield "\n"
        if name in SILENT and not html.startswith("/", start + 1):
            end = _SILENT_END.search(html, place)
            place = len(html) if end is None else end.start()
    yield html[place:]


def _after_markup(html: str, start: int) -> int:
    """Where a comment, a declaration or a tag without end ends; ``start`` if it is none of them."""
    if html.startswith("<!--", start):
        return _after(html, "-->", start + 2)
    follows = html[start + 1 : start + 3].lstrip("/")[:1]
    if follows.isascii() and follows.isalpha():
        return len(html)
    # Instructions, and what only looks like them.
    if html[start + 1 : start + 2] in ("!", "?", "/"):
        return _after(html, ">", start)
    return start


def _after(html: str, what: str, start: int) -> int:
    """The place behind the next such text; the end if there is none."""
    found = html.find(what, start)
    return len(html) if found < 0 else found + len(what)
