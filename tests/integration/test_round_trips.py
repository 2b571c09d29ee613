"""How often a worker waits for PostgreSQL, by what it does with one delivery.

The gateway is another process, and is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.integration.counted_bench import VISITOR, Bench, opened

pytestmark = pytest.mark.usefixtures("ledger_at_home")


@pytest.fixture
def bench(
    tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis, postgres_url: str
) -> Iterator[Bench]:
    with opened(tmp_path, redis, redis_server, DATABASE_URL=postgres_url) as made:
        yield made


def _each(bench: Bench, act: Callable[[], object]) -> list[tuple[str, int]]:
    """How the deliveries of this event ended in the worker, and their round trips; no echoes."""
    act()
    assert bench.box.flush(10)
    rung = list(bench.bell.rung)
    bench.bell.rung.clear()
    ends = []
    for inbox_id in rung:
        before = bench.worker_sql()
        outcome = bench.intake.process(inbox_id)
        ends.append((str(outcome.kind), bench.worker_sql() - before))
    return ends


def test_round_trips_of_one_delivery(bench: Bench) -> None:
    """Everything known: people, entities, the token. The echo follows each write."""
    box, trips = bench.box, dict[str, list[tuple[str, int]]]()

    def expect(what: str, act: Callable[[], object] = lambda: None) -> None:
        trips[what] = _each(bench, act)

    expect("created on Wix", lambda: bench.rate_on_wix(80))
    expect("its echo")
    wix = next(iter(box.wix.ratings))
    outside = str(box.reviews.find("SKU-1", "ada@example.com")[0]["id"])
    expect("changed on Wix", lambda: box.wix.update_rating(wix, 20, VISITOR))
    bench.redis.flushall()
    expect("its echo, after Redis lost it")
    change = {"score": 5}
    expect("changed outside", lambda: box.reviews.change(outside, change, by="visitor"))
    expect("echo on Wix")
    expect("changed in its class", lambda: box.wix.update_rating(wix, 99, VISITOR))
    # What bears its sender's number ends at the door.
    for again, record in ((box.wix.webhooks.again, wix), (box.reviews.webhooks.again, outside)):
        assert _each(bench, partial(again, record)) == []
    expect("deleted on Wix", lambda: box.wix.delete_rating(wix, VISITOR))
    expect("echo of the delete")
    expect("created outside", lambda: bench.rate_outside(4))
    expect("echo of the create on Wix")
    outside = str(box.reviews.find("SKU-1", "ada@example.com")[0]["id"])
    expect("deleted outside", lambda: box.reviews.remove(outside, by="visitor"))
    lines = ["", "| a worker's delivery | ends | round trips |", "| --- | --- | --- |"]
    lines += [f"| {what} | {end} | {count} |" for what, ((end, count),) in trips.items()]
    print("\n".join(lines))  # noqa: T201 - the table for docs/costs.md
    kept = (Path(__file__).parents[2] / "docs" / "costs.md").read_text()
    assert [line for line in lines if line not in kept] == [], (
        "docs/costs.md keeps other numbers: update it"
    )
