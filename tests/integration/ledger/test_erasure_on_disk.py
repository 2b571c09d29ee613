"""What was erased stands in no file of a SQLite ledger any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync_worker.core.values import Change, Side
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from tests.integration.ledger.ground import BOB, Ground
from tests.twins.observed_ledger import ObservedLedger


@pytest.fixture
def on_disk(sqlite_url: str) -> Iterator[Ground]:
    engine = open_engine(sqlite_url)
    upgrade(engine)
    yield Ground(ObservedLedger(engine), None).set_up()
    engine.dispose()


def files_naming(word: str, folder: Path) -> list[str]:
    """Names of the ledger's files in which the word stands."""
    files = [path for path in folder.iterdir() if path.name.startswith("ledger.db")]
    assert files
    return [path.name for path in files if word.encode() in path.read_bytes()]


def test_erased_address_stands_neither_in_the_file_nor_in_its_log(
    on_disk: Ground, tmp_path: Path
) -> None:
    ledger, site_id = on_disk.ledger, on_disk.site_id
    ledger.directory.save_contact(site_id, BOB)
    for number in range(20):
        payload = {"author": {"email": BOB.email}}
        on_disk.stored(number, side=Side.EXTERNAL, source="own-service", payload=payload)
    # Into the file itself, as SQLite does by and by.
    ledger.transactions.forget_log()
    assert files_naming(str(BOB.email), tmp_path) == ["ledger.db"]
    asked = on_disk.stored(
        99, change=Change.CONTACT_DELETED, remote_id=BOB.contact_id, privacy=True
    )
    ledger.merges.hint_erasure(site_id, BOB.contact_id, asked)
    ledger.merges.erase_contact(site_id, BOB.contact_id, asked)
    assert files_naming(str(BOB.email), tmp_path) == []
    assert files_naming(BOB.contact_id, tmp_path) == []


def test_log_that_cannot_be_emptied_is_emptied_by_the_next_prune(
    on_disk: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = on_disk.ledger.transactions

    def refuses() -> None:
        raise sqlite3.OperationalError("database table is locked")

    on_disk.ledger.directory.save_contact(on_disk.site_id, BOB)
    with monkeypatch.context() as patched:
        patched.setattr(transactions, "_empty_log", refuses)
        transactions.forget_log()
    assert (tmp_path / "ledger.db-wal").stat().st_size > 0
    assert list(LedgerRetention(transactions.engine).prune(Retention())) == []
    assert (tmp_path / "ledger.db-wal").stat().st_size == 0
