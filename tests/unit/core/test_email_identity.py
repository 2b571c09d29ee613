"""Whose an address is: one rule, tried with what people and systems write."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync_worker.core.email_identity import (
    earlier_identities,
    is_usable,
    normalise_email,
    spellings,
)

SAME = [
    ("Ada@Example.COM", " ada@example.com\n"),
    ("jos\u00e9@example.com", "jose\u0301@example.com"),  # composed and decomposed
    ("Jos\u00e9@example.com", "JOSE\u0301@example.com".replace("JOSE", "jose")),
    ("ada@b\u00fccher.example", "ada@xn--bcher-kva.example"),
    ("ada@B\u00dcCHER.example", "ada@XN--BCHER-KVA.example"),
    ("ada@bu\u0308cher.example", "ada@b\u00fccher.example"),
    ("ada@stra\u00dfe.de", "ada@xn--strae-oqa.de"),
    ("ada@b\u00fccher\u3002example", "ada@b\u00fccher.example"),
    ("\u01f0@example.com", "J\u030c@example.com"),  # composed in lower case only
]
OTHERS = [
    ("stra\u00dfe@example.com", "strasse@example.com"),
    ("ada@stra\u00dfe.de", "ada@strasse.de"),
    ("\u212aim@example.com", "kim@example.com"),  # Kelvin
    ("\u017fam@example.com", "sam@example.com"),  # long s
    ("\u00c9ve@example.com", "\u00e9ve@example.com"),  # only ASCII has no case
    ("\u0130@example.com", "i\u0307@example.com"),
    ("\ufb01x@example.com", "fix@example.com"),
    ("ada+shop@example.com", "ada@example.com"),
]
UNUSABLE = [
    "",
    "ada",
    "@example.com",
    "ada@",
    "mailto:ada@example.com",
    "Ada <ada@example.com>",
    "ada@example.com, bob@example.com",
    "ada@example.com;bob@example.com",
    "ada@example.com,",
    "ada@bob@example.com",
    "ada lovelace@example.com",
    "ada@exam ple.com",
    "ada\u0000@example.com",
    "ada\u0007@example.com",
    "ad\na@example.com",
    "ad\u200ba@example.com",
    "ad\u200da@example.com",
    "\ufeffada@example.com",
    "ad\u00ada@example.com",
    "ad\u202ea@example.com",
    "ad\ufe0fa@example.com",
    "ad\u3164a@example.com",
    "ad\u00a0a@example.com",
    "ad\ud83da@example.com",
    "ada@example..com",
    "ada@.com",
    "ada@example.com.",
    "ada@ex\u0000ample.com",
    "ada@example.com?subject=x",
    "a" * 243 + "@example.com",
    "a" * 10_000_000 + "@example.com",
    "a@" + "b" * 10_000_000,
    "@" * 1_000_000,
    "\u00e9@" + "\u00e9" * 253,
]
USABLE = [
    "a" * 242 + "@example.com",
    '"ada lovelace"@example.com',
    '"a@b"@example.com',
    "a..b@docomo.ne.jp",
    "ada@localhost",
    "ada@my_host.example",
    "ada@[192.0.2.1]",
    "o'brien@example.com",
    "\u7528\u6237@\u4f8b\u5b50.example",
    "ada@xn--zzzzzzzz.example",  # no name, but somebody's all the same
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_address_are_one_person(one: str, other: str) -> None:
    assert normalise_email(one) == normalise_email(other)
    assert is_usable(one)
    assert is_usable(other)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_two_addresses_that_look_alike_stay_two_people(one: str, other: str) -> None:
    assert normalise_email(one) != normalise_email(other)


@pytest.mark.parametrize("email", UNUSABLE, ids=lambda email: ascii(email[:30]))
def test_what_is_no_address_of_one_person_is_unusable_in_no_time(email: str) -> None:
    started = time.thread_time()
    assert not is_usable(email)
    normalise_email(email)
    assert time.thread_time() - started < 0.5


@pytest.mark.parametrize("email", USABLE, ids=lambda email: ascii(email[:30]))
def test_unusual_address_is_usable(email: str) -> None:
    assert is_usable(email)


TEXTS = st.text(max_size=40) | st.text(
    alphabet="aKk\u212a\u00df\u017f\u0301@.-xn\u00fc\u200b ", max_size=20
)


@given(TEXTS, TEXTS)
@example("J\u030c", "example.com")
@example("\u212a", "\u212a.com")
def test_identity_of_an_identity_is_itself(local: str, domain: str) -> None:
    identity = normalise_email(f"{local}@{domain}")
    assert normalise_email(identity) == identity
    if is_usable(f"{local}@{domain}"):
        assert is_usable(identity)
        assert len(identity) <= 254


@given(st.text(alphabet="aEKoszJ\u00e9\u00fc\u030c\u0301\u0308\u00df.", min_size=1, max_size=12))
def test_composed_and_decomposed_are_one_person(local: str) -> None:
    email = f"{local}@example.com"
    nfc, nfd = (unicodedata.normalize(form, email) for form in ("NFC", "NFD"))
    assert normalise_email(nfc) == normalise_email(nfd)


def test_earlier_forms_are_those_that_earlier_versions_stored() -> None:
    assert earlier_identities("Ada@Example.com") == ()
    assert earlier_identities("Stra\u00dfe@example.com") == ("strasse@example.com",)
    assert earlier_identities("ada@B\u00fccher.example") == ("ada@b\u00fccher.example",)
    assert earlier_identities("ada@xn--bcher-kva.example") == ("ada@b\u00fccher.example",)
    assert earlier_identities("ada@stra\u00dfe.de") == ("ada@strasse.de",)
    assert earlier_identities("jose\u0301@example.com") == ("jose\u0301@example.com",)


def test_other_systems_are_asked_in_every_spelling() -> None:
    asked = spellings(" Ada@B\u00dcCHER.example")
    assert asked == (
        "Ada@B\u00dcCHER.example",
        "ada@xn--bcher-kva.example",
        "ada@b\u00fccher.example",
    )
