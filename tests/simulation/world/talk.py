"""What people say in a world, and what systems make of the words that we send."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values.texts import PLAIN, TextRule
from sync_worker.core.words import with_stand_ins

SENTENCES = (
    "",
    "Sturdy mug.",
    "Broke after a week",
    "It's fine & cheap",
    "Two\nlines",
    "1 < 2",
    "Cafe\u0301 \U0001f600",
    '“Quoted” \\ and "quoted"',
    "x" * 61,
)


# As they are read: half an emoji, a NUL, a character that no form of a text has.
BROKEN = tuple(with_stand_ins(text) for text in ("half \ud83d of it", "a\0b", "\udc00", "\uffff"))


def some_texts(
    chance: random.Random,
    words: Mapping[str, TextRule],
    number: int,
    sentences: Sequence[str] = SENTENCES,
) -> dict[str, str]:
    """What somebody writes under one of the names, or under all; each time something else."""
    names = sorted(words)
    if chance.random() < 0.5:
        names = [chance.choice(names)]
    return {name: _some_text(chance, words[name], number, sentences) for name in names}


def _some_text(chance: random.Random, rule: TextRule, number: int, sentences: Sequence[str]) -> str:
    text = chance.choice(sentences)
    if text:
        text = f"{number} {text}"
    # No form lets its own person write more than it holds.
    text = text[: rule.max_length]
    if not rule.is_html:
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br />\n")
    return f"<p>{text}</p>\n" if text else rule.placeholder


def words_made_by(capabilities: Capabilities) -> Callable[[str, str], str]:
    """HTML of a system is wrapped in paragraphs."""

    def make(name: str, text: str) -> str:
        rule = capabilities.words.get(name, PLAIN)
        if rule.is_html and text != rule.placeholder:
            text = "<p>" + text.replace("\n", "<br />\n") + "</p>\n"
        return text

    return make
