r"""Words from outside that no database can hold, and how long the words of an identity may be.

JSON can say what is no text: half of a pair of surrogates (``\ud83d``: senders make it who cut an
emoji in two), and NUL. Where JSON is read, each becomes a stand-in: one character of Unicode's
private area, which both databases, addresses and logs take; where a text holds such a character
itself, that one is marked. In what is sent back to its system all are again what they were. No
stand-in can be printed, so no id has one.
"""

from __future__ import annotations

import re
from typing import Any

from sync_worker.core.errors import Permanent

# What the ledger's columns hold, in characters. SQLite would take more, PostgreSQL would not.
MAX_ID = 500
MAX_ENTITY_ID = 256
MAX_GROUP = 128
MAX_NAMESPACE = 64
MAX_WIX_ID = 64
MAX_ATTRIBUTE = 128
MAX_EMAIL = 320
MAX_NAME = 256

TOO_DEEP = chr(0x10D7FE)  # stands for what is nested too deeply to be read

_NUL, _FIRST_SURROGATE = 0x00, 0xD800
_STAND_IN_OF_NUL, _FIRST_STAND_IN = 0x10D7FF, 0x10D800
# A text may hold such a character itself: behind this sign stands one that came as it is, moved
# down by so much.
_SIGN, _MOVED = 0x10D7FD, 0x1000
_TO_STAND_INS = {
    _NUL: chr(_STAND_IN_OF_NUL),
    **{_FIRST_SURROGATE + n: chr(_FIRST_STAND_IN + n) for n in range(0x800)},
    **{code: chr(_SIGN) + chr(code - _MOVED) for code in range(_SIGN, 0x10E000)},
}
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_TO_REPLACE = re.compile("[\0\ud800-\udfff\U0010d7fd-\U0010dfff]")
_STAND_IN = re.compile("\U0010d7fd[\U0010c7fd-\U0010cfff]|[\U0010d7ff-\U0010dfff]")


def with_stand_ins(value: Any) -> Any:
    """A JSON value whose texts any database holds."""
    match value:
        case str():
            return value if _TO_REPLACE.search(value) is None else value.translate(_TO_STAND_INS)
        case dict():
            return {with_stand_ins(key): with_stand_ins(part) for key, part in value.items()}
        case list():
            return [with_stand_ins(item) for item in value]
        case _:
            return value


def as_received(json_text: str) -> str:
    """JSON text for the system that its stand-ins came from.

    Raises Permanent where something was left out as it was read: it would be lost there.
    """
    if json_text.isascii():
        return json_text
    if TOO_DEEP in json_text:
        raise Permanent("the record is nested too deeply to be sent back", reason="cannot_write")
    return _STAND_IN.sub(_escape, json_text)


def _escape(stand_in: re.Match[str]) -> str:
    code = ord(stand_in.group()[-1])
    # one that came as it is
    if len(stand_in.group()) > 1:
        return chr(code + _MOVED)
    original = _NUL if code == _STAND_IN_OF_NUL else code - _FIRST_STAND_IN + _FIRST_SURROGATE
    return f"\\u{original:04x}"


def shown(text: str) -> str:
    """For people, and for other systems: each stand-in as Unicode's sign for a broken character."""
    return text if text.isascii() else _STAND_IN.sub("\ufffd", text)


def is_storable(text: str) -> bool:
    """Whether both databases hold the text as it is."""
    return _NO_TEXT.search(text) is None


def is_usable_id(text: str, most: int) -> bool:
    """Whether a text can name a record: not empty, printable, and not too long for the ledger."""
    return 0 < len(text) <= most and text.isprintable()


def bounded(text: str, most: int, what: str) -> str:
    """A word of an identity as it is. Raises Permanent if the ledger has no room for it."""
    if len(text) > most:
        raise Permanent(
            f"{what} is longer than {most} characters: {text[:40]!r}…", reason="malformed_record"
        )
    return text
