"""What one event costs: remote calls (asserted as the design states them), SQL statements, round
trips to PostgreSQL and Redis commands.

``pytest tests/integration/test_counts.py -s`` prints the table that docs/costs.md keeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from sync_worker.ledger.process_tables import site_fault
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.integration.counted_bench import VISITOR, Bench, Cost, opened

pytestmark = pytest.mark.usefixtures("ledger_at_home")

WIX_GET, WIX_POST = "GET /ratings/v1/ratings/{id}", "POST /ratings/v1/ratings"
WIX_PATCH, WIX_DELETE = "PATCH /ratings/v1/ratings/{id}", "DELETE /ratings/v1/ratings/{id}"
EXT_GET, EXT_POST = "GET /v1/ratings/{id}", "POST /v1/ratings"
EXT_PUT, EXT_DELETE = "PUT /v1/ratings/{id}", "DELETE /v1/ratings/{id}"
FIND_PERSON = "POST /contacts/v4/contacts/query"


@pytest.fixture
def bench(tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis) -> Iterator[Bench]:
    with opened(tmp_path, redis, redis_server) as made:
        yield made


def _in_step(bench: Bench) -> tuple[str, str]:
    wix = bench.rate_on_wix(80)
    bench.drain()
    return wix, str(bench.box.reviews.find("SKU-1", "ada@example.com")[0]["id"])


def test_costs_of_one_event(
    tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis, postgres_url: str
) -> None:
    """Everything known: people, entities, the token.

    Each line is one genuine change with its echo.
    """
    with opened(tmp_path, redis, redis_server) as bench:
        on_sqlite = _costs(bench)
    redis.flushdb()
    with opened(tmp_path, redis, redis_server, DATABASE_URL=postgres_url) as bench:
        on_postgresql = _costs(bench)
    lines = [
        "",
        (
            "| event, with its echo | remote calls | SQL statements | round trips to PostgreSQL |"
            " Redis commands |"
        ),
        "| --- | --- | --- | --- | --- |",
    ]
    for what, cost in on_sqlite.items():
        counts = (cost.calls.total(), cost.sql, on_postgresql[what].sql, cost.redis)
        assert on_postgresql[what].redis == cost.redis
        lines.append(f"| {what} | {' | '.join(map(str, counts))} |")
    print("\n".join(lines))  # noqa: T201 - the table for docs/costs.md
    kept = (Path(__file__).parents[2] / "docs" / "costs.md").read_text()
    assert [line for line in lines if line not in kept] == [], (
        "docs/costs.md keeps other numbers: update it"
    )


def _costs(bench: Bench) -> dict[str, Cost]:
    """By event; each one's remote calls are asserted."""
    box = bench.box
    costs: dict[str, Cost] = {}

    def expect(what: str, act: Callable[[], object], *calls: str) -> None:
        with bench.counted() as costs[what]:
            act()
            bench.drain()
        assert costs[what].calls == Counter(calls), what

    expect("created on Wix", lambda: bench.rate_on_wix(80), EXT_POST)
    wix = next(iter(box.wix.ratings))
    outside = str(box.reviews.find("SKU-1", "ada@example.com")[0]["id"])
    expect("changed on Wix", lambda: box.wix.update_rating(wix, 20, VISITOR), EXT_PUT)
    expect(
        "changed outside",
        lambda: box.reviews.change(outside, {"score": 5}, by="visitor"),
        WIX_PATCH,
    )
    expect("changed inside its class on Wix", lambda: box.wix.update_rating(wix, 99, VISITOR))
    again, again_outside = box.wix.webhooks.again, box.reviews.webhooks.again
    expect(
        "late duplicates of all of it", lambda: (again(wix), box.flush(), again_outside(outside))
    )
    expect("deleted on Wix", lambda: box.wix.delete_rating(wix, VISITOR), EXT_GET, EXT_DELETE)
    expect("created outside", lambda: bench.rate_outside(4), WIX_POST)
    outside = str(box.reviews.find("SKU-1", "ada@example.com")[0]["id"])
    # The event is confirmed by a look (Wix's own delete events are not).
    expect(
        "deleted outside",
        lambda: box.reviews.remove(outside, by="visitor"),
        EXT_GET,
        WIX_GET,
        WIX_DELETE,
    )
    box.wix.add_contact("ben@example.com", "Ben")
    bench.drain()
    expect(
        "created outside by somebody new",
        lambda: bench.rate_outside(4, "ben@example.com"),
        FIND_PERSON,
        WIX_POST,
    )
    return costs


def test_duplicate_echo_and_stale_event_cost_no_remote_call(bench: Bench) -> None:
    wix, outside = _in_step(bench)
    bench.box.wix.update_rating(wix, 20, VISITOR)
    bench.drain()
    bench.redis.flushdb()  # the loop guard forgets: the ledger knows
    with bench.counted() as cost:
        bench.box.wix.webhooks.again(wix)
        bench.box.reviews.webhooks.again(outside)
        bench.drain()
    assert cost.calls == Counter()


def test_duplicate_at_create_costs_the_find_and_adopts(bench: Bench) -> None:
    """Both rated before either was told: uniqueness is enforced, so the create is refused and the
    record adopted.
    """
    bench.rate_outside(4)
    bench.rate_on_wix(80)
    with bench.counted() as cost:
        bench.drain()
    assert sum(cost.calls.values()) <= 3
    assert (
        len(bench.box.wix.ratings) == len(bench.box.reviews.find("SKU-1", "ada@example.com")) == 1
    )


def test_every_table_of_the_design_is_there() -> None:
    names = {
        "site",
        "entity_map",
        "contact_map",
        "field_map",
        "link",
        "link_value",
        "tombstone",
        "inbox",
        "intent",
    }
    beside = {
        "history",
        "run",
        "contact_redirect",
        "listed",
        "missing",
        "site_side",
        "ledger_clock",
        "set_aside",
    }  # listed, missing: what a sweep found
    work = {"site_fault", "up_check", "hook_state", "heartbeat", "door_count", "door_source"}
    given = {"account", "account_secret", "account_address", "account_change", "audit"}
    given |= {"old_shop"}
    setting_up = {"onboarding", "catalogue_look", "catalogue_asked", "entity_proposal"}
    setting_up |= {"catalogue_part"}
    ways_in = ("person", "link", "session", "instance", "form", "attempt", "token")
    console = {f"console_{name}" for name in ways_in}
    sent = {"import_file", "import_row"}
    known = names | beside | work | given | setting_up | console | sent | {"unlinked"}
    assert known | {"site_pause"} == set(site_fault.metadata.tables)
