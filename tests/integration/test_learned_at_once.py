"""What is found out of one site by several processes at once: each of them is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.database import open_engine


@pytest.mark.parametrize("url", ["sqlite_url", "postgres_url"])
def test_those_who_learn_at_once_lose_nothing(url: str, request: pytest.FixtureRequest) -> None:
    engine = open_engine(request.getfixturevalue(url))
    sites = ledger_admin(engine).sites
    site, _ = sites.add("instance-1", "own-service", ())
    learned = {f"U{number}": "as documented" for number in range(20)}
    with ThreadPoolExecutor(len(learned)) as pool:
        list(pool.map(lambda name: sites.note_learned(site.id, {name: learned[name]}), learned))
    assert sites.learned(site.id) == learned
    engine.dispose()
