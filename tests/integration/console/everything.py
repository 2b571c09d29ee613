"""A ledger with something of everything in it; names and words of its people are in no language."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select, update

from sync_console.pages.imports.words import ROWS
from sync_worker.core.hold_reasons import HOLD_REASONS
from sync_worker.core.processes import Process, ProcessKind
from sync_worker.core.said import kept, said
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import HistoryKind, InboxState, Operation, Side, SiteState
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.administration.site_faults import SqlSiteFaults
from sync_worker.ledger.imports.files import SqlImportFiles
from sync_worker.ledger.imports.tables import import_file
from sync_worker.ledger.imports.values import ImportPlan, NewRow, RowEnd
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.ledger.tables import history, inbox, intent, link
from sync_worker.services.imports.imports import STANDINGS
from sync_worker.services.onboarding.steps import Step, StepState
from sync_worker.services.ratings.words import CHANGES, ENDS, REASONS
from tests.integration.console.held_shop import HeldShop

COUNTS = {"listed_wix": 4, "listed_external": 3, "missing_wix": 1, "outcome_in_step": 2}
FORECASTS = {"outcome_held unknown_entity": 1, "write_create on wix": 1, "outcome_link": 1}


def fill(admin: LedgerAdmin) -> int:
    """Site 1 has most of it. The number of a rating to which all of that has happened."""
    shop = HeldShop(admin)
    said_of_them = (True, False, None)
    held = [
        shop.hold(reason, words="Bohnen", name="Ada", is_verified=said_of_them[number % 3])
        for number, reason in enumerate(HOLD_REASONS)
    ]
    shop.link(held[0])
    for reason in ("rate_limited", "create_accepted", "own-service 503: Backend"):
        shop.wait(reason)
    _happened(admin)
    _steps(admin)
    _runs(admin)
    _files(admin)
    _troubles(admin)
    with admin.transactions.read() as connection:
        return int(connection.execute(select(link.c.id)).scalars().first() or 0)


def _happened(admin: LedgerAdmin) -> None:
    """Each kind of line, end and plan, of one rating."""
    with admin.transactions.write() as connection:
        link_id = connection.execute(select(link.c.id)).scalars().first()
        which = {"site_id": 1, "link_id": link_id}
        for number, kind in enumerate(HistoryKind):
            side = tuple(Side)[number % 2]
            line: dict[str, Any] = {"at": 10.0 + number, "what": str(kind), "side": str(side)}
            connection.execute(insert(history).values(which | line | {"reason": "off_scale"}))
        for number, reason in enumerate(REASONS):
            line = {"at": 100.0 + number, "what": "update", "side": "wix", "attribute": "overall"}
            values = {"before": "40", "after": "80", "reason": reason}
            connection.execute(insert(history).values(which | line | values))
        for number, operation in enumerate(Operation):
            planned: dict[str, Any] = {
                "id": f"intent-{number}",
                "side": "wix",
                "operation": str(operation),
            }
            planned |= {"targets": {"overall": "80"}, "sources": {}, "befores": {}}
            planned |= {"reasons": {"overall": "changed"}, "source_ids": []}
            planned |= {"state": "open" if number == 0 else "abandoned"}
            connection.execute(insert(intent).values(which | planned | {"created_at": 200.0}))
        ends = [(InboxState.DONE, end) for end in ENDS]
        ends += [(InboxState.SUPPRESSED, ""), (InboxState.SUPERSEDED, ""), (InboxState.NEW, "Zeit")]
        changes = list(CHANGES)
        for number, (state, reason) in enumerate(ends):
            told: dict[str, Any] = {
                "side": "wix",
                "source": "instance-1",
                "dedupe_id": f"e-{number}",
            }
            told |= {"change": changes[number % len(changes)], "remote_id": "w-1", "payload": {}}
            told |= {"state": str(state), "reason": reason, "received_at": 300.0 + number}
            closed: dict[str, Any] = {"next_attempt_at": 300.0, "closed_at": 400.0 + number}
            connection.execute(insert(inbox).values(which | told | closed))


def _steps(admin: LedgerAdmin) -> None:
    words = said("the site waits for its account; what comes for it meanwhile is kept")
    for step, state in zip(Step, [*StepState, *StepState], strict=False):
        admin.onboarding.note(1, step, state, words, "eve", form=kept(words))


def _runs(admin: LedgerAdmin) -> None:
    sweeps = SqlSweeps(admin.transactions, SiteCache())
    for kind in RunKind:
        sweep = sweeps.begin(1, kind)
        assert sweep is not None
        sweeps.end(replace(sweep, counts=COUNTS | FORECASTS))
    assert sweeps.begin(1, RunKind.SWEEP) is not None  # under way


def _files(admin: LedgerAdmin) -> None:
    """A file of ratings at each standing, with a row of each end."""
    files = SqlImportFiles(admin.transactions)
    shape = {"is_jsonl": False, "header": ["a"], "delimiter": ",", "has_mark": False}
    ends = [RowEnd(2 + line, end, "a", "is empty") for line, end in enumerate(ROWS)]
    counts, writes = dict.fromkeys(ROWS, 3), {"create on wix": 3, "update on external": 2}
    for phase, state in STANDINGS:
        import_id = files.begin(1, "datei.csv", "eve", ImportPlan({}, shape))
        files.add_rows(import_id, 1, [NewRow(end.line, '["a"]', "", None, end) for end in ends])
        files.is_there(import_id)
        stands = {"phase": str(phase), "state": str(state), "counts": counts, "writes": writes}
        with admin.transactions.write() as connection:
            its = update(import_file).where(import_file.c.id == import_id)
            connection.execute(its.values(stands | {"reason": "unexpected error"}))


def _troubles(admin: LedgerAdmin) -> None:
    admin.sites.add("instance-3", "third-service", [])
    admin.sites.add("instance-4", "fourth-service", [])
    admin.sites.add("instance-5", "", [])
    admin.sites.set_state(3, SiteState.PAUSED, "eve", "Urlaub")
    admin.sites.set_state(4, SiteState.RECOVERY, "eve")
    SqlSiteFaults(admin.transactions).note("sweep", "other-service", "Backend", 60.0)
    admin.heartbeats.note(Process(ProcessKind.GATEWAY, "rechner", 1))
    # As if its site had done without the account for a while.
    with admin.transactions.write() as connection:
        late = inbox.c.reason == "own-service 503: Backend"
        connection.execute(update(inbox).where(late).values(received_at=10.0))
