"""Words of a rating (title, body, the owner's reply) as each side can hold them. Pure.

Two texts of one system are the same when their *normal form* is: what a person reads, whatever the
markup, the line ends, the spaces and the placeholder. To the other side goes what a person reads,
in the form of that side; a text is never written back to where it came from.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Final

from sync_worker.core.values.plain_text import plain_text
from sync_worker.core.words import shown

TITLE: Final = "title"
BODY: Final = "body"
REPLY: Final = "reply"
# What no text says: control characters, but for tabs and line ends.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")
WORDS_VERSION = 0  # of a base: no mapping of scales ever makes it stale
CUT = "…"
MOST_FOR_A_SIGN = 5  # characters of HTML for one of text: &amp;


@dataclass(frozen=True, slots=True)
class TextRule:
    """How a system holds one of the words.

    ``max_length``: in characters, ``None`` if it names none. ``placeholder``: what stands there
    when the person wrote nothing and the system insists on a text (``required``); read as empty.
    ``can_clear``: what stands there can be taken away again.
    """

    is_html: bool = False
    max_length: int | None = None
    can_create: bool = True
    can_update: bool = True
    required: bool = False
    placeholder: str = ""
    can_clear: bool = True

    def __post_init__(self) -> None:
        if self.max_length is not None and self.max_length < 1:
            raise ValueError(
                f"max_length={self.max_length}: at least 1 character; leave out words that the"
                " system does not take"
            )


PLAIN = TextRule()


class TooLong(ValueError):
    """The text is longer than the system takes, or was cut before it came there."""


def told(text: str, rule: TextRule) -> str:
    """What a person reads: plain text, its lines ended by ``\\n``; empty for a placeholder."""
    text = storable(text)
    if rule.is_html:
        text = plain_text(text)
    text = unicodedata.normalize("NFC", text)
    lines = [line.rstrip() for line in text.splitlines()]
    read = "\n".join(lines).strip()
    return "" if rule.placeholder and read == rule.placeholder else read


def storable(text: str) -> str:
    """The text as any database and any JSON holds it."""
    # As nearly always.
    if text.isprintable():
        return text
    return _HALF_PAIR.sub("\ufffd", _CONTROLS.sub("", shown(text)))


@lru_cache(maxsize=4_096)
def normal_form(text: str, rule: TextRule = PLAIN) -> str:
    """For comparing texts of one system: blank lines and runs of spaces do not count."""
    lines = (" ".join(line.split()) for line in told(text, rule).splitlines())
    return "\n".join(line for line in lines if line)


def written(text: str, rule: TextRule, *, cuts: bool = False) -> str:
    """Plain text in the form of a system; ``cuts``: as much of it as that takes.

    Raises TooLong.
    """
    if not text:
        return rule.placeholder if rule.required else ""
    whole = _in_form(text, rule)
    if rule.max_length is None or len(whole) <= rule.max_length:
        return whole
    if not cuts:
        raise TooLong(f"{len(whole)} characters, and {rule.max_length} at most")
    return _cut(text, rule, rule.max_length)


def _in_form(text: str, rule: TextRule) -> str:
    return escape(text, quote=False) if rule.is_html else text


def _cut(text: str, rule: TextRule, most: int) -> str:
    text = text[:most]
    while (excess := len(shown := _in_form(text.rstrip() + CUT, rule)) - most) > 0:
        text = text[: -max(1, excess // MOST_FOR_A_SIGN)]
    return shown


@dataclass(frozen=True, slots=True)
class WordsField:
    """One of the words that both sides carry. Implements plan.Field.

    ``cuts``: a text that is too long for the other side goes there shortened.
    """

    name: str
    wix: TextRule
    external: TextRule
    cuts: bool = False
    version: int = WORDS_VERSION

    def rule_on(self, side: str) -> TextRule:
        """How a side holds it."""
        return self.wix if side == "wix" else self.external

    def is_unchanged(self, side: str, before: str | None, now: str | None) -> bool:
        """Whether a side says what it said before; an empty text says no more than none."""
        return self.is_alike(side, before or "", now or "")

    def is_alike(self, side: str, wanted: str, shown: str) -> bool:
        """Whether two texts of one side say the same."""
        if wanted == shown:
            return True
        rule = self.rule_on(side)
        return normal_form(wanted, rule) == normal_form(shown, rule)

    def agree(self, wix: str, external: str) -> bool:
        """Whether one of the texts is what the other is written as on its side."""
        if normal_form(wix, self.wix) == normal_form(external, self.external):
            return True
        return self._is_written_as(external, wix, "wix") or self._is_written_as(
            wix, external, "external"
        )

    def _is_written_as(self, source: str, shown: str, side: str) -> bool:
        try:
            return self.is_alike(side, self._converted(side, source), shown)
        except TooLong:
            return False

    def carried(self, side: str, value: str, covered: str | None) -> str:
        """What the other side's text is written as on a side, where it covers ``covered``.

        Raises TooLong: also where the other side never had all of what it would cover.
        """
        there = self.wix if side == "external" else self.external
        if covered is not None and not self._fits(covered, self.rule_on(side), there):
            raise TooLong("it was shortened where it was changed")
        return self._converted(side, value)

    def _converted(self, side: str, value: str) -> str:
        there, here = self.external, self.wix
        if side == "external":
            there, here = here, there
        return written(told(value, there), here, cuts=self.cuts)

    def _fits(self, text: str, rule: TextRule, there: TextRule) -> bool:
        """Whether a text under a rule goes to the other side whole."""
        if there.max_length is None:
            return True
        return len(_in_form(told(text, rule), there)) <= there.max_length
