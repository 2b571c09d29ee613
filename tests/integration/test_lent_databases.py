"""Databases that tests have one after the other: nobody finds anything of whoever came before."""

from __future__ import annotations

import pytest
from sqlalchemy import NullPool, create_engine, text

from sync_worker.core.values import Policy
from sync_worker.ledger.database import open_engine
from tests.lent_databases import LentDatabases
from tests.simulation.world import OVERALL
from tests.twins.observed_ledger import ObservedLedger


def carried_out(url: str, *statements: str) -> list[object]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        done = [connection.execute(text(one)) for one in statements]
        return [one.scalar() if one.returns_rows else None for one in done]


def id_of_new_site(url: str) -> int:
    engine = open_engine(url)
    site = ObservedLedger(engine).add_site("instance-1", "own-service", Policy(), (OVERALL,))
    engine.dispose()
    return int(site.id)


def test_ledger_is_lent_again_with_the_rows_and_numbers_of_a_new_one(
    postgres_databases: LentDatabases,
) -> None:
    with postgres_databases.lent() as first:
        carried_out(first, "DELETE FROM up_check")
        assert id_of_new_site(first) == 1
    with postgres_databases.lent() as second:
        counts = "SELECT count(*) FROM site", "SELECT count(*) FROM up_check"
        assert (second, carried_out(second, *counts)) == (first, [0, 1])
        assert id_of_new_site(second) == 1


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE site ADD COLUMN colour text",
        "DROP INDEX ix_inbox_open",
        "CREATE TABLE colour (name text)",
        "ANALYZE site",
    ],
)
def test_ledger_that_is_no_longer_what_it_was_is_lent_to_nobody(
    postgres_databases: LentDatabases, change: str
) -> None:
    with postgres_databases.lent() as changed:
        carried_out(changed, change)
    with postgres_databases.lent() as other:
        assert other != changed


def test_session_that_a_test_left_open_ends_with_it(postgres_databases: LentDatabases) -> None:
    with postgres_databases.lent() as url:
        engine = create_engine(url, poolclass=NullPool)
        left = engine.connect()
        left.execute(text("LOCK TABLE site"))
    with postgres_databases.lent() as again:
        assert (again, carried_out(again, "SELECT count(*) FROM site")) == (url, [0])
    left.invalidate()
    left.close()
