"""What somebody reads of a page, and which of it is English."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from html.parser import HTMLParser

from babel.messages.pofile import read_po

from sync_console.web.words import FOLDER

# Elements whose text is no sentence of ours.
UNREAD = frozenset({"script", "style", "code", "kbd"})
EMPTY = frozenset({"br", "hr", "img", "input", "link", "meta", "line", "rect"})
SPOKEN = frozenset({"aria-label", "alt", "placeholder", "title"})
# What no German sentence has in it.
ENGLISH_WORDS = re.compile(
    r"\b(the|and|are|of|is|it|its|with|that|this|for|be|by|to|has|have|which|what|nothing|from)\b",
    re.IGNORECASE,
)
PARAMETER = re.compile(r"%\(\w+\)[sd]")
QUOTED = re.compile(r"`[^`]*`")


class _Reader(HTMLParser):
    def __init__(self, language: str) -> None:
        super().__init__()
        self._language, self._unread = language, list[str]()
        self.parts, self.links = list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        is_foreign = tag != "html" and given.get("lang", self._language) != self._language
        if tag not in EMPTY and (self._unread or tag in UNREAD or is_foreign):
            self._unread.append(tag)
        if not self._unread:
            self.parts += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        if self._unread and tag not in EMPTY:
            self._unread.pop()

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self.parts.append(data)


def read(page: str, language: str) -> tuple[list[str], list[str]]:
    """The texts that are said to be of this language, and the addresses of the links."""
    reader = _Reader(language)
    reader.feed(page)
    texts = [" ".join(part.split()) for part in reader.parts]
    return [text for text in texts if text], reader.links


def english_in(texts: list[str]) -> set[str]:
    """English words, and English sentences of the catalogue."""
    found = {text for text in texts if ENGLISH_WORDS.search(text)}
    whole = " ".join(texts)
    return found | {sentence for sentence, piece in _pieces().items() if piece in whole}


@cache
def _pieces() -> Mapping[str, str]:
    """Of each sentence of the catalogue its longest part without a value; none of short ones."""
    pieces = {}
    for english, german in _sentences():
        parts = PARAMETER.split(QUOTED.sub("%(quoted)s", english))
        longest = max((" ".join(part.split()) for part in parts), key=len)
        if longest.count(" ") >= 2 and longest not in german:
            pieces[english] = longest
    return pieces


def _sentences() -> Iterator[tuple[str, str]]:
    for path in (FOLDER / "de" / "LC_MESSAGES").glob("*.po"):
        with path.open("rb") as file:
            for one in read_po(file, locale="de"):
                said, told = one.id, one.string
                ids = (said,) if isinstance(said, str) else said
                strings = (told,) if isinstance(told, str) else told or ()
                yield from ((each, " ".join(strings)) for each in ids if each)
