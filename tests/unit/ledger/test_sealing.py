"""Secrets in the ledger: what was sealed opens with its key, for its account and name, alone."""

from __future__ import annotations

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.accounts.sealing import (
    CannotOpen,
    Opener,
    Sealer,
    keys_in,
    new_key,
    public_of,
)

KEY = "2EuWzx4bBmjGt-_mRCH1bySmpsiMyLaH9SZ4sJxAdV0="
OLD, NEW = new_key(), new_key()
SECRET = "k€y with\nanything, \0 too"
PLACE = {"account": "a" * 26, "name": "api_token"}


def sealed_for(key: str) -> str:
    return Sealer(public_of(key)).sealed(SECRET, **PLACE)


def test_what_the_public_key_sealed_opens_with_the_private_one() -> None:
    sealed = sealed_for(OLD)
    assert SECRET not in sealed
    assert Opener([OLD]).opened(sealed, **PLACE) == SECRET
    assert sealed_for(OLD) != sealed, "equal secrets show in no dump"


def test_all_keys_open_and_the_first_is_the_one_that_seals() -> None:
    both = Opener([NEW, OLD])
    for key, is_current in ((OLD, False), (NEW, True)):
        sealed = sealed_for(key)
        assert both.opened(sealed, **PLACE) == SECRET
        assert both.is_current(sealed) is is_current


@pytest.mark.parametrize("changed", [{"account": "b" * 26}, {"name": "webhook_secret"}])
def test_row_copied_to_another_account_or_name_does_not_open(changed: dict[str, str]) -> None:
    with pytest.raises(CannotOpen, match="another account's; give the secret anew"):
        Opener([OLD]).opened(sealed_for(OLD), **(PLACE | changed))


def test_secret_of_a_key_that_is_missing_names_that_key_and_no_secret() -> None:
    with pytest.raises(CannotOpen, match=r"sealed for key [0-9a-f]{8}, which SECRETS_KEY") as told:
        Opener([NEW]).opened(sealed_for(OLD), **PLACE)
    assert SECRET not in str(told.value)
    assert OLD not in str(told.value)


def test_damaged_text_does_not_open_wherever_it_was_damaged() -> None:
    """Whichever character is lost, or another one: it is no secret, and no other error."""
    sealed, opener = sealed_for(OLD), Opener([OLD])
    for at in range(0, len(sealed), 7):
        other = "A" if sealed[at] != "A" else "B"
        for damaged in (sealed[:at], sealed[:at] + other + sealed[at + 1 :]):
            with pytest.raises(CannotOpen):
                opener.opened(damaged, **PLACE)


@pytest.mark.parametrize(
    "text", ["", "x1", "x1...", "secret", "x2.a.b.c", "x1.ä.ö.ü", "\ud800" * 4]
)
def test_text_that_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(CannotOpen):
        Opener([OLD]).opened(text, **PLACE)


@pytest.mark.parametrize("key", ["", "short", KEY[:-1], KEY + "A", KEY[:-2] + "!=", "ä" * 44])
def test_setting_that_is_no_key_is_refused_without_a_word_of_it(key: str) -> None:
    with pytest.raises(Misconfigured, match="44 characters") as told:
        Opener([OLD, key])
    assert not key or key not in str(told.value)
    with pytest.raises(Misconfigured, match="44 characters"):
        Sealer(key)


def test_no_key_at_all_is_refused_with_the_next_step() -> None:
    with pytest.raises(Misconfigured, match="has no key; `ratings-sync secrets new-key`"):
        Opener([])


def test_keys_stand_on_lines_or_between_commas() -> None:
    assert keys_in(f" {NEW},{OLD}\n\n{OLD} ,\n") == [NEW, OLD, OLD]
