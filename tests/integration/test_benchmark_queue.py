"""What the benchmarks count as work done."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import update

from benchmarks.ground import ground
from benchmarks.queue import check_that_all_crossed, store
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.tables import inbox


def test_rate_of_ratings_that_failed_or_wait_is_refused() -> None:
    with ground("sqlite") as at:
        ids = store(at, "memory-80-8", 3)
        engine = open_engine(at.database_url)
        with engine.begin() as connection:  # as after a worker whose every try failed
            connection.execute(
                update(inbox).where(inbox.c.id == ids[0]).values(reason="unforeseen: ValueError")
            )
            connection.execute(update(inbox).where(inbox.c.id == ids[1]).values(state="done"))
        engine.dispose()
        said = "3 of 3 ratings have not crossed: 1 new unforeseen: ValueError, 1 done, 1 new"
        with pytest.raises(RuntimeError, match=re.escape(said)):
            check_that_all_crossed(at, ids, seconds=0)
