"""A person is erased from a large ledger: no statement searches all of it, and a search cut short
begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert
from sqlalchemy.exc import OperationalError

from sync_worker.core.errors import Transient
from sync_worker.core.hold_keys import address_tombstone
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Contact, Side, Site
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.erasure import ROWS_SEARCHED_AT_ONCE
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.process_tables import listed
from sync_worker.ledger.tables import inbox
from tests.twins.observed_ledger import ObservedLedger

pytestmark = pytest.mark.full

ROWS = 2 * ROWS_SEARCHED_AT_ONCE + 100
GONE = Contact("contact-gone", "gone@example.com")
BATCHES = 3


class LargeLedger:
    """One site; every delivery and every listed record names somebody, the first, middle and last
    of them GONE.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.ledger = ObservedLedger(engine)
        self.site: Site = self.ledger.add_site("instance-1", "own-service")
        self.ledger.directory.save_contact(self.site.id, GONE)
        sweep = self.ledger.sweeps.begin(self.site.id, RunKind.SWEEP)
        assert sweep is not None
        with engine.begin() as connection:
            connection.execute(insert(inbox), [self._delivery(number) for number in range(ROWS)])
            connection.execute(
                insert(listed), [self._listed(sweep.id, number) for number in range(ROWS)]
            )
            asked = {**self._delivery(ROWS), "side": "wix", "source": "instance-1", "payload": {}}
            asked |= {
                "change": "contact_deleted",
                "remote_id": GONE.contact_id,
                "privacy": True,
                "state": "new",
            }
            row = connection.execute(insert(inbox).values(asked).returning(inbox.c.id))
            self.asked = int(row.scalar_one())

    def _name(self, number: int) -> str:
        return (
            str(GONE.email) if number in (0, ROWS // 2, ROWS - 1) else f"person{number}@example.com"
        )

    def _delivery(self, number: int) -> dict[str, Any]:
        row = {
            "side": "external",
            "source": "own-service",
            "dedupe_id": f"d{number}",
            "change": "upsert",
        }
        times = {"received_at": 0.0, "next_attempt_at": 0.0, "closed_at": 0.0}
        return (
            row
            | times
            | {"remote_id": f"e{number}", "state": "done", "payload": {"by": self._name(number)}}
        )

    def _listed(self, run_id: int, number: int) -> dict[str, Any]:
        row = {"run_id": run_id, "side": "external", "remote_id": f"e{number}", "mark": "open"}
        return row | {"record": {"by": self._name(number)}}

    def erase(self) -> None:
        self.ledger.merges.erase_contact(self.site.id, GONE.contact_id, self.asked)

    @contextmanager
    def watched(self, look: Callable[[str], None]) -> Iterator[None]:
        def told(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            look(statement)

        event.listen(self.engine, "before_cursor_execute", told)
        try:
            yield
        finally:
            event.remove(self.engine, "before_cursor_execute", told)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def large(request: pytest.FixtureRequest) -> Iterator[LargeLedger]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    yield LargeLedger(engine)
    engine.dispose()


def searches(statement: str) -> bool:
    return "lower(" in statement


def test_no_statement_of_an_erasure_searches_more_than_a_batch(
    large: LargeLedger,
) -> None:
    """No statement searches more than a batch and nothing of the person is left."""
    found: list[str] = []
    with large.watched(lambda statement: found.append(statement) if searches(statement) else None):
        large.erase()
    assert len(found) == 2 * BATCHES
    bounds = ("inbox.id >", "inbox.id <=", "listed.remote_id >", "listed.remote_id <=")
    assert all(sum(bound in statement for bound in bounds) == 2 for statement in found)
    left = large.ledger.everything()
    assert [word for word in (GONE.email, GONE.contact_id) if str(word) in left] == []
    assert "person7@example.com" in left
    assert large.ledger.inbox.open_delivery(large.asked) is None


def test_search_that_was_cut_short_begins_anew_and_ends_the_same(large: LargeLedger) -> None:
    searched: list[str] = []

    def fail_late(statement: str) -> None:
        if searches(statement):
            searched.append(statement)
            if len(searched) == 2 * BATCHES:
                raise OperationalError(
                    statement, None, Exception("canceling statement due to statement timeout")
                )

    with large.watched(fail_late), pytest.raises(Transient):
        large.erase()
    opened = large.ledger.inbox.open_delivery(large.asked)
    assert opened is not None
    assert opened[0].new.remote_id == GONE.contact_id
    assert large.ledger.directory.contact(large.site.id, contact_id=GONE.contact_id) == GONE
    assert large.asked not in large.ledger.inbox.due(10), (
        "nobody begins a second search beside a first one"
    )
    large.erase()
    left = large.ledger.everything()
    assert [word for word in (GONE.email, GONE.contact_id) if str(word) in left] == []
    assert (
        large.ledger.directory.locate(
            large.site.id, Side.EXTERNAL, address_tombstone(str(GONE.email))
        ).buried
        is not None
    )
