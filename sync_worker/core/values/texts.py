"""Words of a rating (title, body, the owner's reply) as each side can hold them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TITLE: Final = "title"
BODY: Final = "body"
REPLY: Final = "reply"


@dataclass(frozen=True, slots=True)
class TextRule:
    """How a system holds one of the words.

    ``max_length``: in characters, ``None`` if it names none. ``placeholder``: what stands there
    when the person wrote nothing and the system insists on a text (``required``); read as empty.
    """

    is_html: bool = False
    max_length: int | None = None
    can_create: bool = True
    can_update: bool = True
    required: bool = False
    placeholder: str = ""
