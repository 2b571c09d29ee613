"""What a remote says of a refusal: its code and its sentence, without personal data. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import unescape
from typing import Any

from sync_worker.core.outside_words import for_people
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.credentials import LEFT_OUT, without, without_secrets

MAX_SAID = 200
MAX_CODE = 80
MAX_DEPTH = 8  # of a body: what lies deeper is no value that a sentence would repeat
MIN_VALUE = 3  # characters; a shorter value says nothing of a person, and stands in every word
MAX_NAME_WORDS = 4  # of a name; a longer text shares its words with every sentence
# In the order in which they say most; errors of RFC 9457, OAuth, WordPress, Shopify, JSON:API.
SENTENCES = ("message", "detail", "error_description", "title", "error", "reason")
CODES = ("code", "errorCode", "error_code", "type")
INSIDE = ("error", "errors", "details", "data")
ADDRESS = re.compile(r"[^\s<>()\"',;]+@[^\s<>()\"',;]+")
WORD = re.compile(r"\w+")
LONG_NUMBER = re.compile(r"\+?\d[\d ()/-]{6,}\d")


def code_in(body: Any, secrets: Sequence[str] = ()) -> str:
    """The code of an error in the forms that are common; empty if there is none."""
    for part in _parts(body):
        for name in CODES:
            code = part.get(name)
            if isinstance(code, str) and code and " " not in code:
                return for_people(without_secrets(code, secrets))[:MAX_CODE]
    return ""


def said_in(body: Any, call: Call, secrets: Sequence[str] = ()) -> str:
    """The sentence of an error, without what the call had sent, addresses and long numbers.

    ``secrets``: what the request carried beside the call.
    """
    for part in _parts(body):
        for name in SENTENCES:
            sentence = part.get(name)
            if isinstance(sentence, str) and sentence.strip():
                return _without_people(without_secrets(sentence, secrets), call)
    return ""


def _parts(body: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of an error: itself, and those inside; the first of a list."""
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, Mapping):
        return
    yield body
    for name in INSIDE:
        inner = body.get(name)
        if isinstance(inner, list):
            inner = inner[0] if inner else None
        if isinstance(inner, str):
            inner = {"message": inner}
        if isinstance(inner, Mapping):
            yield inner
            yield from _extensions(inner)


def _extensions(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where GraphQL says the code: https://spec.graphql.org/October2021/#sec-Errors."""
    extensions = error.get("extensions")
    if isinstance(extensions, Mapping):
        yield extensions


def _without_people(sentence: str, call: Call) -> str:
    text = unescape(re.sub(r"<[^<>]*>", "", sentence)[: MAX_SAID * 4])
    values = {*_texts(call.json), *_texts(call.form), *_texts(call.query)}
    values |= {unescape(value) for value in values}
    # The longest first: a part of a name must not leave the rest of it.
    for value in sorted(values, key=len, reverse=True):
        text = without(text, value)
    for word in {word for value in values for word in _words_of_name(value)}:
        if len(word) <= len(text):
            text = re.sub(rf"\b{re.escape(word)}\b", LEFT_OUT, text)
    text = _without_runs(text, values)
    text = LONG_NUMBER.sub(LEFT_OUT, ADDRESS.sub(LEFT_OUT, text))
    return for_people(" ".join(text.split()))[:MAX_SAID]


def _without_runs(text: str, values: Iterable[str]) -> str:
    """Without parts of what was sent: three words in a row, of the last perhaps its beginning."""
    after: dict[tuple[str, str], set[str]] = {}
    for value in values:
        sent = WORD.findall(value.casefold())
        for first, second, third in zip(sent, sent[1:], sent[2:], strict=False):
            after.setdefault((first, second), set()).add(third)
    words = list(WORD.finditer(text))
    spans: list[tuple[int, int]] = []
    for first, second, third in zip(words, words[1:], words[2:], strict=False):
        pair = (first.group().casefold(), second.group().casefold())
        if not any(one.startswith(third.group().casefold()) for one in after.get(pair, ())):
            continue
        start = first.start()
        if spans and start < spans[-1][1]:
            start, _ = spans.pop()
        spans.append((start, third.end()))
    for start, end in reversed(spans):
        text = text[:start] + LEFT_OUT + text[end:]
    return text


def _words_of_name(value: str) -> list[str]:
    words = value.split()
    return words if len(words) <= MAX_NAME_WORDS else []


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Every text that was sent, but for keys."""
    if isinstance(value, str) and len(value.strip()) >= MIN_VALUE:
        yield value.strip()
    inside: Iterable[Any] = ()
    if isinstance(value, Mapping):
        inside = value.values()
    elif isinstance(value, list | tuple):
        inside = value
    if depth < MAX_DEPTH:
        for part in inside:
            yield from _texts(part, depth + 1)
