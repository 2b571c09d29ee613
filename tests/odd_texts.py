"""Sentences as real people, their keyboards and their browsers write them, and worse."""

from __future__ import annotations

import random
from collections.abc import Sequence

MAX_LENGTH = 3000  # of a body on Wix
PLAIN = (
    "Sturdy mug.",
    'I don\'t "like" it',
    "Trop cher — à éviter !",
    "ზოგადად კარგია",
    "非常好，推荐购买。",
    "5/5 would buy again",
    "100% cotton, 20 °C ± 5",
    "café",  # e with an accent of its own sign
    "cafe\u0301",  # the same in two signs
    "Ａ full width, ﬁne ligature",
)
EMOJI = ("👍", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "❤️", "🇩🇪", "1️⃣", "🫠")
RIGHT_TO_LEFT = (
    "מוצר מעולה, ממליץ בחום",
    "منتج رائع جدًا، أنصح به",
    "\u202bmixed עברית with English\u202c",
    "\u200fשלום\u200e hello",
    "\u2067x\u2069",
)
MARKUP = (
    "<b>bold</b>",
    "<p>one</p><p>two</p>",
    "a<br>b<br/>c",
    '<a href="https://example.com/?a=1&b=2">link</a>',
    "<script>alert(1)</script>after",
    "<img src=x onerror=alert(1)>",
    "I <3 it",
    "1 < 2 > 0",
    "a <b",
    "<!-- hidden -->seen",
    "<ul><li>first</li><li>second</li></ul>",
)
ENTITIES = (
    "&amp;",
    "&lt;b&gt;",
    "&#128077;",
    "&nbsp;",
    "R&D",
    "&notanentity;",
    "AT&T;",
    "&amp;amp;",
)
SIGNS = (
    '"quoted"',
    "'single'",
    "back\\slash",
    "C:\\new\\table",
    "\\",
    "\\\\",
    'a \\" b',
    "don\\'t",
    "$HOME `id` %s {0} {{ x }} ${y}",
    "'; DROP TABLE link; --",
    "null",
    "[1, 2]",
    "=1+1",
)
INVISIBLE = (
    "zero\u200bwidth",
    "soft\u00adhyphen",
    "word\u2060joiner",
    "\ufeffmark",
    "no\u00a0break",
    "thin\u2009space",
    "line\u2028separator",
)
BROKEN = (
    "half \ud83d of a pair",
    "the other \ude00 half",
    "bell\x07",
    "nothing\x00here",
    "\x1b[31mred",
)
BREAKS = (
    "one\ntwo",
    "one\r\ntwo",
    "one\rtwo",
    "one\n\n\ntwo",
    "  led",
    "trailed  ",
    "\ttab\t",
    "a  b",
)
KINDS: tuple[Sequence[str], ...] = (
    PLAIN,
    EMOJI,
    RIGHT_TO_LEFT,
    MARKUP,
    ENTITIES,
    SIGNS,
    INVISIBLE,
    BROKEN,
    BREAKS,
)


def odd_texts(count: int, seed: int) -> list[str]:
    """So many, each another one: of one kind, of several, and as long as Wix takes."""
    chance = random.Random(seed)
    made: dict[str, None] = {}
    for kind in KINDS:
        made |= dict.fromkeys(kind)
    while len(made) < count:
        made[_mixed(chance)] = None
    return list(made)[:count]


def _mixed(chance: random.Random) -> str:
    parts = [chance.choice(chance.choice(KINDS)) for _ in range(chance.randint(2, 8))]
    text = chance.choice((" ", " ", "\n", "")).join(parts)
    if chance.random() < 0.02:
        text = (text + " ") * (MAX_LENGTH // (len(text) + 1))
        text += "!" * (MAX_LENGTH - len(text))
    return text
