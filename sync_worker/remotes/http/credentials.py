"""Our own credentials in the words of a remote: some systems repeat the token they refuse. Pure."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qsl, quote, urlsplit

from sync_worker.remotes.http.calls import Sent

MIN_SECRET = 3  # characters; a shorter part stands in every word
MIN_PART = 6  # of what stands between separators: ``token=abcdefg``
LEFT_OUT = "…"


def credentials_of(sent: Sent) -> list[str]:
    """Every form of the credentials that a request carried."""
    secrets = {form for secret in _secrets_of(sent) for form in _forms_of(secret)}
    # The longest first: a part of a secret must not leave the rest of it.
    return sorted(secrets, key=len, reverse=True)


def without_secrets(text: str, secrets: Sequence[str]) -> str:
    """A text that is not cut yet, with a sign in the place of each secret."""
    for secret in secrets:
        text = without(text, secret)
    return text


def without(text: str, part: str) -> str:
    """A text with a sign in the place of a part of it, in whatever case that stands there."""
    # An expression is made letter by letter, which takes long: not of what cannot be in the text.
    if len(part) > len(text):
        return text
    return re.sub(re.escape(part), LEFT_OUT, text, flags=re.IGNORECASE)


def _secrets_of(sent: Sent) -> Iterator[str]:
    for value in sent.proof.values():
        yield from _secrets_in(value)
    # Credentials in the address cannot be told from other parameters there.
    yield from (value for _, value in parse_qsl(urlsplit(sent.url).query) if len(value) >= MIN_PART)


def _secrets_in(header: str) -> Iterator[str]:
    """A header as a whole, without the word for its kind, and the parts of it."""
    yield header
    words = header.split()
    for word in words[1:] or words:
        yield word
        yield from (part for part in re.split(r"[=,;:\"']+", word) if len(part) >= MIN_PART)
        pair = _decoded(word)
        if ":" in pair:
            yield from (pair, *pair.split(":", 1))


def _forms_of(secret: str) -> Iterator[str]:
    if len(secret) >= MIN_SECRET:
        yield from (secret, quote(secret, safe=""), b64encode(secret.encode()).decode())


def _decoded(word: str) -> str:
    try:
        return b64decode(word, validate=True).decode()
    except ValueError:
        return ""
