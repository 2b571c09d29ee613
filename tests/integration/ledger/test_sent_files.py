"""Files of ratings that people have sent, on both databases: erased, forgotten, and worked on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, select, update

from sync_worker.core.errors import LeaseLost, Misconfigured
from sync_worker.core.values import Change, Contact, NewDelivery, Side
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.imports.files import SqlImportFiles
from sync_worker.ledger.imports.tables import import_file, import_row
from sync_worker.ledger.imports.values import (
    ImportPhase,
    ImportPlan,
    ImportState,
    NewRow,
    RowEnd,
    RowKey,
)
from sync_worker.ledger.imports.work import MAX_AT_ONCE, SqlImportWork
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.services.imports.imports import standing_of
from tests.twins.observed_ledger import ObservedLedger

DAY = 86_400.0
GONE = Contact("contact-gone", "gone@example.com")
READY = ((ImportPhase.CHECK, ImportState.READY), (ImportPhase.LOOK, ImportState.READY))


@dataclass
class Ground:
    engine: Engine
    ledger: ObservedLedger
    files: SqlImportFiles
    work: SqlImportWork
    site_id: int

    def send(self, *rows: NewRow) -> int:
        import_id = self.files.begin(self.site_id, "r.csv", "ada", ImportPlan({}, {}))
        self.files.add_rows(import_id, self.site_id, rows)
        return self.files.is_there(import_id).id

    def ask(self, import_id: int, phase: ImportPhase = ImportPhase.LOOK) -> None:
        assert self.files.ask(import_id, phase, "ada", READY, is_anew=True)

    def change(self, import_id: int, **values: object) -> None:
        with self.engine.begin() as connection:
            changed = update(import_file).where(import_file.c.id == import_id)
            connection.execute(changed.values(**values))

    def erase(self) -> None:
        """A privacy request for GONE."""
        new = NewDelivery(
            Side.WIX, "instance-1", "e", Change.CONTACT_DELETED, GONE.contact_id, {}, privacy=True
        )
        asked = self.ledger.inbox.store(new).inbox_id
        self.ledger.merges.erase_contact(self.site_id, GONE.contact_id, asked)

    def prune(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        keep = Retention(payload_days=7, run_days=90)
        for what, count in LedgerRetention(self.engine).prune(keep, batch=2):
            counts[what] = counts.get(what, 0) + count
        return counts


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    ledger = ObservedLedger(engine)
    site = ledger.add_site("instance-1", "own-service")
    ledger.directory.save_contact(site.id, GONE)
    transactions = ledger.transactions
    files, work = SqlImportFiles(transactions), SqlImportWork(transactions)
    yield Ground(engine, ledger, files, work, site.id)
    engine.dispose()


def row(line: int, email: str = "ada@example.com", **more: str) -> NewRow:
    return NewRow(line, more.get("content", f'["{email}","words of {email}"]'), "", email)


def test_erased_person_s_rows_are_emptied_and_no_others(ground: Ground) -> None:
    """By address, by contact, and wherever in a broken row the address stands."""
    broken = NewRow(4, '["x","Gone@Example.com wrote this"]', "is broken", None)
    import_id = ground.send(row(2), row(3, str(GONE.email)), broken, row(5, "other@example.com"))
    ground.ask(import_id)
    claim = ground.work.claim()
    assert claim is not None
    key = RowKey(1, GONE.contact_id, ["overall"])
    ground.work.save(claim, [RowEnd(5, "created", reason="of other", key=key)], {})
    ground.erase()
    left = {one.line: one for one in ground.files.rows(import_id, None, 0)}
    assert [line for line, one in left.items() if one.content] == [2]
    assert {left[line].what for line in (3, 4, 5)} == {"skipped"}
    assert {left[line].reason for line in (3, 4, 5)} == {"erased"}
    said = ground.ledger.everything().lower()
    assert str(GONE.email) not in said
    assert "of other" not in said
    # What a worker had in hand meanwhile does not bring it back.
    ground.work.save(claim, [RowEnd(3, "rejected", "email", f"{GONE.email} is odd")], {})
    assert str(GONE.email) not in ground.ledger.everything().lower()


def test_row_of_somebody_erased_before_is_not_kept(ground: Ground) -> None:
    ground.erase()
    odd = NewRow(3, '["words to <GONE@example.com>"]', "", None)
    import_id = ground.send(row(2, str(GONE.email)), odd, row(4))
    found = ground.files.rows(import_id, None, 0)
    assert [(one.line, bool(one.content), one.reason) for one in found] == [
        (2, False, "erased"),
        (3, False, "erased"),
        (4, True, ""),
    ]
    ground.ask(import_id)
    claim = ground.work.claim()
    assert claim is not None
    assert [one.line for one in ground.work.rows_to_do(claim)] == [4]


def test_row_is_kept_whose_address_a_contact_has_again(ground: Ground) -> None:
    ground.erase()
    ground.ledger.directory.save_contact(ground.site_id, Contact("contact-new", GONE.email))
    import_id = ground.send(row(2, str(GONE.email)))
    assert [bool(one.content) for one in ground.files.rows(import_id, None, 0)] == [True]


def test_rows_are_forgotten_with_payloads_and_files_with_runs(ground: Ground) -> None:
    old, new, open_one = (ground.send(row(2), row(3), row(4)) for _ in range(3))
    ground.change(old, changed_at=import_file.c.changed_at - 8 * DAY)
    ground.ask(open_one)
    ground.change(open_one, changed_at=import_file.c.changed_at - 800 * DAY)
    assert ground.prune() == {"import_rows": 3}
    wiped = ground.files.one(old)
    assert wiped is not None
    assert (wiped.is_wiped, wiped.row_count) == (True, 3)
    assert ground.files.rows(old, None, 0) == []
    assert len(ground.files.rows(new, None, 0)) == len(ground.files.rows(open_one, None, 0)) == 3
    assert not ground.files.ask(old, ImportPhase.LOOK, "ada", READY, is_anew=True)
    ground.change(old, changed_at=import_file.c.changed_at - 91 * DAY)
    assert ground.prune() == {"import_files": 1}
    assert ground.files.one(old) is None


def test_one_process_at_a_time_has_a_file(ground: Ground) -> None:
    """What a process saves whose lease another has taken is refused, and changes nothing."""
    import_id = ground.send(row(2), row(3))
    ground.ask(import_id)
    first = ground.work.claim()
    assert first is not None
    assert ground.work.claim() is None
    ground.work.save(first, [RowEnd(2, "created", key=RowKey(1, "c-1", ["overall"]))], {})
    ground.change(import_id, lease_until=0.0)
    second = ground.work.claim()
    assert second is not None
    assert ground.work.first_lines(second) == {(1, "c-1", "overall"): 2}
    assert [one.line for one in ground.work.rows_to_do(second)] == [3]
    with pytest.raises(LeaseLost):
        ground.work.save(first, [RowEnd(3, "held")], {})
    # A row comes to its end once.
    ground.work.save(second, [RowEnd(2, "there"), RowEnd(3, "created")], {"create on wix": 2})
    assert ground.work.rest(second) is False
    done = ground.files.one(import_id)
    assert done is not None
    assert (done.state, done.counts) == (ImportState.READY, {"created": 2})
    assert done.writes == {"create on wix": 2}


def test_fleet_works_on_few_files_at_once(ground: Ground) -> None:
    for _ in range(MAX_AT_ONCE + 1):
        ground.ask(ground.send(row(2)))
    claims = [ground.work.claim() for _ in range(MAX_AT_ONCE + 1)]
    assert [claim is not None for claim in claims] == [True] * MAX_AT_ONCE + [False]
    first = claims[0]
    assert first is not None
    assert ground.work.rest(first) is True
    following = ground.work.claim()
    assert following is not None
    # The one that has waited longest.
    assert following.file.id not in {claim.file.id for claim in claims if claim is not None}


def test_file_that_waits_for_days_without_progress_is_given_up(ground: Ground) -> None:
    import_id = ground.send(row(2))
    ground.ask(import_id)
    claim = ground.work.claim()
    assert claim is not None
    ground.work.postpone(claim, 60.0, "the shop is away")
    assert ground.work.claim() is None
    ground.change(import_id, due_at=0.0, changed_at=import_file.c.changed_at - 3 * DAY)
    claim = ground.work.claim()
    assert claim is not None
    ground.work.postpone(claim, 60.0, "the shop is away")
    file = ground.files.one(import_id)
    assert file is not None
    assert (file.state, file.reason) == (ImportState.FAILED, "the shop is away")


def test_stopped_file_keeps_what_was_in_hand_and_goes_on(ground: Ground) -> None:
    import_id = ground.send(row(2), row(3))
    ground.ask(import_id)
    claim = ground.work.claim()
    assert claim is not None
    assert ground.files.stop(import_id)
    assert ground.work.save(claim, [RowEnd(2, "created")], {}) is False
    assert ground.work.rest(claim) is False
    file = ground.files.one(import_id)
    assert file is not None
    assert (file.state, file.counts) == (ImportState.STOPPED, {"created": 1})
    with ground.engine.connect() as connection:
        to_do = select(import_row.c.line).where(import_row.c.what.is_(None))
        assert connection.execute(to_do).scalars().all() == [3]


OF_TOMORROW = [{"phase": "tomorrow"}, {"state": "tomorrow"}]


@pytest.mark.parametrize("words", OF_TOMORROW, ids=str)
def test_file_that_only_a_newer_version_knows_is_shown_and_left(
    ground: Ground, words: dict[str, str]
) -> None:
    import_id = ground.send(row(2))
    ground.change(import_id, **words)
    file = ground.files.one(import_id)
    assert file is not None
    assert "tomorrow" in standing_of(file)
    assert not ground.files.ask(import_id, ImportPhase.RUN, "ada", READY, is_anew=True)
    with pytest.raises(Misconfigured, match="newer version"):
        ground.files.remove(import_id)
    assert ground.files.of_site(ground.site_id, None).files == [file]


@pytest.mark.parametrize("words", OF_TOMORROW, ids=str)
def test_workers_pass_over_it_and_go_on_with_others(ground: Ground, words: dict[str, str]) -> None:
    import_id, other = ground.send(row(2)), ground.send(row(2))
    ground.ask(import_id)
    ground.ask(other)
    ground.change(import_id, **words)
    claim = ground.work.claim()
    assert claim is not None
    assert claim.file.id == other
    assert ground.work.claim() is None
