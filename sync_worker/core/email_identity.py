"""Whose an address is: the one form in which addresses are stored and compared.

Trimmed; ASCII letters in lower case; composed (NFC); the domain as IDNA 2008 writes it. Nothing
else is folded: ``straße@`` and ``strasse@`` are two people, and so are ``K`` (Kelvin) and ``k``.
https://www.rfc-editor.org/rfc/rfc5890 https://www.unicode.org/reports/tr46/
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice

import idna

MAX_LENGTH = 254  # https://www.rfc-editor.org/errata/eid1690
# What may be an address within any text, and how many a text may tell.
ADDRESS = re.compile(r"[^\s\"'<>(),;:\\]{1,64}@[^\s\"'<>(),;:\\]{1,190}")
_MAX_TOLD = 50
# What nearly all addresses look like: nothing to do but for the case of letters.
_PLAIN = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", re.ASCII)
# Of a person nobody has an address there; WordPress puts one in place of an erased person's.
# https://www.rfc-editor.org/rfc/rfc6761#section-6.4
# https://developer.wordpress.org/reference/functions/wp_privacy_anonymize_data/
NOBODY = ".invalid"
# How systems hide a part of an address: ``j***@example.com``, ``j...@example.com``.
_MASKED = re.compile("[*\u2022\u25cf\u2217\u2026]|\\.\\.")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
# Unquoted they part a list, name a scheme or frame an address: this is more than one, or none.
_NOT_IN_LOCAL_PART = frozenset('()<>[]:;,\\"@ ')
_LITERAL = re.compile(r"\[[0-9a-f.:]+\]")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
# NFC makes an ASCII character of each of these: Kelvin's K, a Greek question mark, an accent.
_LOOKALIKES = re.compile("([\u212a\u037e\u1fef])")
# Without a width, and not of the categories that tell so.
_WIDTHLESS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
    "\u180b\u180c\u180d\u180f"
    "\ufe00\ufe01\ufe02\ufe03\ufe04\ufe05\ufe06\ufe07"
    "\ufe08\ufe09\ufe0a\ufe0b\ufe0c\ufe0d\ufe0e\ufe0f"
)


def normalise_email(email: str) -> str:
    """The identity of an address; what is none comes back trimmed, and belongs to nobody."""
    trimmed = email.strip()
    if len(trimmed) <= MAX_LENGTH and _PLAIN.fullmatch(trimmed) and "xn--" not in trimmed.lower():
        return trimmed.lower()
    return _identity(trimmed) or trimmed


def identity_told(email: str) -> str | None:
    """The identity of an address that a record shows; ``None``: it does not tell whose it is.

    So of one that is masked or made anonymous, and of what is no address.
    """
    identity = normalise_email(email)
    if _MASKED.search(identity) or identity.endswith(NOBODY):
        return None
    return identity if is_usable(identity) else None


def is_usable(email: str) -> bool:
    """Whether it is the address of one person: anything else is not looked up, nor made a contact.

    Lists, ``mailto:``, control and invisible characters, more than 254 characters are not.
    """
    trimmed = email.strip()
    # As nearly all are: nothing has to be looked at character by character.
    if len(trimmed) <= MAX_LENGTH and _PLAIN.fullmatch(trimmed):
        return True
    return _identity(trimmed) is not None


def earlier_identities(email: str) -> tuple[str, ...]:
    """The forms in which earlier versions may have stored an address, where they differ.

    They folded the case of all letters, so that two people could have one form.
    """
    identity = normalise_email(email)
    shown = shown_domain(identity)
    forms = (email.strip().casefold(), identity.casefold(), shown.casefold())
    return tuple(dict.fromkeys(form for form in forms if form != identity))


def spellings(email: str) -> tuple[str, ...]:
    """The forms in which another system may know an address."""
    identity = normalise_email(email)
    return tuple(dict.fromkeys((email.strip(), identity, shown_domain(identity))))


def shown_domain(identity: str) -> str:
    """An address with its domain as people read it: ``bücher.example`` for ``xn--bcher-kva…``."""
    local, at, domain = identity.rpartition("@")
    if "xn--" not in domain:
        return identity
    try:
        return f"{local}{at}{idna.decode(domain)}"
    except idna.IDNAError:
        return identity


def _identity(trimmed: str) -> str | None:
    """``None``: no address of one person."""
    local, at, domain = trimmed.rpartition("@")
    if not (local and at and domain) or len(trimmed) > MAX_LENGTH:
        return None
    if any(_is_invisible(character) for character in trimmed):
        return None
    # In quotes nearly anything may stand, another @ too.
    if not _QUOTED.fullmatch(local) and not _NOT_IN_LOCAL_PART.isdisjoint(local):
        return None
    ascii_domain = _ascii_domain(domain)
    if ascii_domain is None:
        return None
    # Composed again: some letters have a composed form in lower case only.
    identity = f"{_composed(_composed(local).translate(_LOWER))}@{ascii_domain}"
    return identity if len(identity) <= MAX_LENGTH else None


def _composed(text: str) -> str:
    parts = _LOOKALIKES.split(text)
    return "".join(
        part if _LOOKALIKES.fullmatch(part) else unicodedata.normalize("NFC", part)
        for part in parts
    )


def _is_invisible(character: str) -> bool:
    """Controls, what has no width or turns the direction, halves of a pair, unusual blanks."""
    if character.isascii():
        return not character.isprintable()
    category = unicodedata.category(character)
    return category in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs") or character in _WIDTHLESS


def _ascii_domain(domain: str) -> str | None:
    lower = domain.translate(_LOWER)
    if _LITERAL.fullmatch(lower):
        return lower
    if lower.isascii() and "xn--" not in lower:
        return lower if _is_plain_domain(lower) else None
    # A name that somebody has written in ASCII already stays what it is.
    with suppress(idna.IDNAError, UnicodeError):
        lower = idna.encode(domain, uts46=True, transitional=False).decode("ascii").lower()
    return lower if lower.isascii() and _is_plain_domain(lower) else None


def _is_plain_domain(lower: str) -> bool:
    allowed = frozenset(string.ascii_lowercase + string.digits + "-_")
    return all(label and allowed.issuperset(label) for label in lower.split("."))


def addresses_told(content: object) -> Iterator[str]:
    """Whatever looks like an address, anywhere in a payload, whose depth is bounded as it is read.

    As written there; some may come twice.
    """
    if isinstance(content, str):
        # Around the sign only, and not around each of many: words from outside may be long.
        for sign in islice(re.finditer("@", content), _MAX_TOLD):
            at = sign.start()
            yield from ADDRESS.findall(content[max(0, at - 64) : at + 191])
    elif isinstance(content, Mapping):
        for part in content.values():
            yield from addresses_told(part)
    elif isinstance(content, list | tuple):
        for part in content:
            yield from addresses_told(part)
