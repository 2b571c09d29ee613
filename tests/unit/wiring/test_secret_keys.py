"""The key that a single machine makes for itself."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sync_worker.config import Settings, load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.accounts.sealing import new_key, public_of
from sync_worker.wiring.secret_keys import has_keys, make_key_file, opener, opening_keys, sealer


def settings_in(home: Path, **more: str) -> Settings:
    return load_settings({"RATINGS_SYNC_HOME": str(home), **more})


def test_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / ".ratings-sync")
    assert not has_keys(settings)
    assert make_key_file(settings, {})
    assert not make_key_file(settings, {})
    file = tmp_path / ".ratings-sync" / "secrets_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert has_keys(settings)
    assert opening_keys(settings) == [file.read_text().strip()]
    assert [one.name for one in file.parent.iterdir()] == ["secrets_key"]


def test_setting_wins_and_nothing_is_made_beside_it(tmp_path: Path) -> None:
    first, second = new_key(), new_key()
    settings = settings_in(tmp_path, SECRETS_KEY=f"{first}, {second}\n")
    assert not make_key_file(settings, {})
    assert opening_keys(settings) == [first, second]
    assert list(tmp_path.iterdir()) == []


def test_keys_come_from_a_file_on_lines_of_their_own(tmp_path: Path) -> None:
    file, keys = tmp_path / "keys", [new_key(), new_key()]
    file.write_text("\n".join(keys) + "\n")
    assert opening_keys(settings_in(tmp_path, SECRETS_KEY_FILE=str(file))) == keys


def test_sealing_key_seals_for_who_holds_the_other_and_opens_nothing(tmp_path: Path) -> None:
    key = new_key()
    seals = settings_in(tmp_path, SECRETS_SEALING_KEY=public_of(key))
    sealed = sealer(seals).sealed("s", account="a", name="n")
    assert (
        opener(settings_in(tmp_path, SECRETS_KEY=key)).opened(sealed, account="a", name="n") == "s"
    )
    with pytest.raises(Misconfigured, match="SECRETS_KEY, and it is not set"):
        opener(seals)


def test_key_that_cannot_be_read_is_told_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "secrets_key").mkdir()
    with pytest.raises(Misconfigured, match=r"secrets_key cannot be read \(Is a directory\)"):
        opening_keys(settings_in(tmp_path))
