"""What systems do to texts that they are sent: refuse, trim, lose what they cannot hold."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.exceptions import InternalServerError

from sync_sandbox.faults import Faults
from sync_worker.core import exact_json
from sync_worker.core.words import as_received

BLOCKED = "casino"
SHORT = 60
TEXT_FAULTS = {
    "emoji_refused": "a strict old MySQL table: a text with a character of four bytes is refused",
    "emoji_breaks": "the same table, and the answer is a 500, as in an outage",
    "emoji_lost": "an old MySQL table: a question mark takes the place of each such character",
    "blocked_words": f"a text with {BLOCKED!r} in it is refused",
    "texts_trimmed": "blanks around a text are taken away, and runs of them become one",
    "texts_cut": f"a text is cut after {SHORT} characters, and nothing says so",
}
_FOUR_BYTES = re.compile("[\U00010000-\U0010ffff]")


def json_text(value: Any) -> str:
    """Compact JSON, with half of an emoji as systems send it: ``\\ud83d``."""
    return as_received(exact_json.dumps(value))


class TextRefused(Exception):
    """The system does not take this text."""


def checked(text: Any, most: int | None, faults: Faults) -> str | None:
    """What is kept of a part of a document that is a text or nothing. Raises TextRefused."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TextRefused("is no text")
    if most is not None and len(text) > most:
        raise TextRefused(f"has more than {most} characters")
    return kept(text, faults)


def kept(text: str, faults: Faults) -> str:
    """What a system keeps of a text that its API is sent. Raises TextRefused."""
    if _FOUR_BYTES.search(text):
        if faults.strikes("emoji_refused"):
            raise TextRefused("holds a character that cannot be stored")
        if faults.strikes("emoji_breaks"):
            raise InternalServerError
        if faults.strikes("emoji_lost"):
            text = _FOUR_BYTES.sub("?", text)
    if BLOCKED in text.casefold() and faults.strikes("blocked_words"):
        raise TextRefused("holds a word that is blocked")
    if text and faults.strikes("texts_trimmed"):
        text = " ".join(text.split())
    if len(text) > SHORT and faults.strikes("texts_cut"):
        text = text[:SHORT]
    return text
