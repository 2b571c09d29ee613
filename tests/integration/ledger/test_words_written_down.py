"""Why something failed, in the words of others, and who works here: written down whatever it is.

What the ledger has no room for is shortened, visibly; what no database holds is written as its
number. A refusal here would lose the outcome that the words are about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from sqlalchemy import Column, String, select

from sync_worker.core.outside_words import for_people
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.processes import Process, ProcessKind
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import (
    HistoryEntry,
    HistoryKind,
    InboxState,
    RatingKey,
    Side,
    SiteSide,
)
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.administration.door_counts import DoorNews, SourceNews, SqlDoorCounts
from sync_worker.ledger.administration.heartbeats import SqlHeartbeats
from sync_worker.ledger.administration.site_faults import SqlSiteFaults
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.imports.files import SqlImportFiles
from sync_worker.ledger.imports.values import (
    ImportPhase,
    ImportPlan,
    ImportState,
    NewRow,
    RowEnd,
)
from sync_worker.ledger.imports.work import SqlImportWork
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.ledger.tables import metadata
from tests.factories import EXTERNAL_ENTITY, WIX_ENTITY, a_delivery
from tests.integration.ledger.ground import ADA

# Of one, two and four bytes; NUL, half of a pair of surrogates, line ends.
WORDS = ("refused", "geprüft", "\U0001f600", "a\x00b", "a\ud83d", "a\r\nb")
Note = Callable[[SqlLedger, str], object]


def _stored(ledger: SqlLedger) -> list[int]:
    return [ledger.inbox.store(a_delivery(1, dedupe_id=None)).inbox_id]


def _closed_by_a_run(ledger: SqlLedger, words: str) -> None:
    (inbox_id,), key = _stored(ledger), _key(ledger)
    run = ledger.links.attach(inbox_id, key).run
    assert run is not None
    line = HistoryEntry(HistoryKind.HOLD, Side.WIX, "overall", reason=words)
    closings = {inbox_id: Closing(InboxState.HELD, words)}
    ledger.links.commit(run.lease, Commit(history=[line], closings=closings, release=True))


def _key(ledger: SqlLedger) -> RatingKey:
    entity = ledger.directory.add_entity(1, WIX_ENTITY, EXTERNAL_ENTITY)
    return RatingKey(1, entity.id, ADA.contact_id)


def _run(ledger: SqlLedger, words: str) -> None:
    sweeps = SqlSweeps(ledger.transactions, ledger.site_cache)
    sweep = sweeps.begin(1, RunKind.SWEEP)
    assert sweep is not None
    sweeps.end(sweep, "abandoned", words)


def _process(ledger: SqlLedger, words: str) -> None:
    heartbeats = SqlHeartbeats(ledger.transactions)
    heartbeats.note(Process(ProcessKind.WORKER, words, 1, words))
    heartbeats.note_stop(Process(ProcessKind.WORKER, words, 1, words))


def _refusals(ledger: SqlLedger, words: str) -> None:
    news = SourceNews("wix", refused_ago=1.0, refused_result=words, refused_reason=words)
    SqlDoorCounts(ledger.transactions).add(DoorNews({("wix", words, words): 1}, [news]))


def _file(ledger: SqlLedger, words: str) -> None:
    """A row is rejected in the words of a remote, and then the file cannot go on."""
    files, work = SqlImportFiles(ledger.transactions), SqlImportWork(ledger.transactions)
    import_id = files.begin(1, "r.csv", "ada", ImportPlan({}, {}))
    files.add_rows(import_id, 1, [NewRow(2, "[]", "", None)])
    files.is_there(import_id)
    standing = [(ImportPhase.CHECK, ImportState.READY)]
    assert files.ask(import_id, ImportPhase.LOOK, "ada", standing, is_anew=True)
    claim = work.claim()
    assert claim is not None
    work.save(claim, [RowEnd(2, "rejected", "", words)], {})
    work.fail(claim, words)


# By the columns that they fill: what writes down words of others.
NOTES: Mapping[tuple[str, ...], Note] = {
    ("inbox.reason",): lambda ledger, words: ledger.inbox.hold(_stored(ledger), words),
    ("inbox.reason", "inbox.reason"): lambda ledger, words: ledger.inbox.defer(
        _stored(ledger), 1.0, words, is_failure=True
    ),
    ("history.reason", "inbox.reason"): _closed_by_a_run,
    ("site_side.reason",): lambda ledger, words: ledger.site_sides.fail(
        SiteSide(1, Side.WIX), [], words
    ),
    ("run.reason",): _run,
    ("import_row.reason", "import_file.reason"): _file,
    ("site_fault.error",): lambda ledger, words: SqlSiteFaults(ledger.transactions).note(
        "sweep", "own-service", words, 60.0
    ),
    ("heartbeat.host", "heartbeat.version"): _process,
    ("door_count.result", "door_count.reason"): _refusals,
    ("door_source.refused_result", "door_source.refused_reason"): _refusals,
}


@pytest.fixture
def ledger(database_url: str) -> Iterator[SqlLedger]:
    engine = open_engine(database_url)
    upgrade(engine)
    ledger_admin(engine).sites.add("instance-1", "own-service", [])
    yield sql_ledger(engine)
    engine.dispose()


@pytest.mark.parametrize("columns", NOTES, ids=" ".join)
def test_words_of_others_are_written_down(columns: tuple[str, ...], ledger: SqlLedger) -> None:
    for words in (words for form in WORDS for words in (form, form * 300)):
        NOTES[columns](ledger, words)
        for column in columns:
            table, name = column.split(".")
            kept = all_in(ledger, metadata.tables[table].c[name])
            assert any(says(one, for_people(words)) for one in kept)


def says(kept: str, words: str) -> bool:
    """Whole, or its beginning with a sign of what was left out."""
    is_beginning = len(kept) > 20 and kept.endswith("…") and words.startswith(kept[:-1])
    return kept == words or is_beginning


def all_in(ledger: SqlLedger, column: Column[str]) -> Sequence[str]:
    with ledger.transactions.read() as connection:
        return connection.execute(select(column)).scalars().all()


def test_every_column_of_words_is_tried() -> None:
    """Columns called as in the list, in any table: a new one belongs there."""
    tried = {column for columns in NOTES for column in columns}
    # Always empty: only workers of the version before still read it.
    tried.add("account.reason")
    named = {"reason", "error", "refused_reason", "refused_result", "host", "version"}
    there_are = {
        str(column)
        for table in metadata.tables.values()
        for column in table.c
        if column.name in named and isinstance(column.type, String)
    }
    assert there_are <= tried
