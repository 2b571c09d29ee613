"""What one event costs: remote calls (asserted as the design states them), SQL statements, round
trips to PostgreSQL and Redis commands.

``pytest tests/integration/test_counts.py -s`` prints the table that docs/costs.md keeps.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine, event

from sync_sandbox.door import serve_door
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.values import Contact, EntityRef, Site
from sync_worker.intake.intake import Intake
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.process_tables import site_fault
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring

pytestmark = pytest.mark.usefixtures("ledger_at_home")

WIX_GET, WIX_POST = "GET /ratings/v1/ratings/{id}", "POST /ratings/v1/ratings"
WIX_PATCH, WIX_DELETE = "PATCH /ratings/v1/ratings/{id}", "DELETE /ratings/v1/ratings/{id}"
EXT_GET, EXT_POST = "GET /v1/ratings/{id}", "POST /v1/ratings"
EXT_PUT, EXT_DELETE = "PUT /v1/ratings/{id}", "DELETE /v1/ratings/{id}"
FIND_PERSON = "POST /contacts/v4/contacts/query"
VISITOR = {"identityType": "MEMBER", "memberId": "visitor"}


@dataclass
class Rings:
    rung: list[int] = field(default_factory=list)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.rung += inbox_ids


@dataclass
class Cost:
    """Of the events in between; ``calls`` without the token, which serves four hours.

    ``sql``: statements on SQLite, round trips to PostgreSQL.
    """

    calls: Counter[str] = field(default_factory=Counter)
    sql: int = 0
    redis: int = 0


@dataclass
class Bench:
    """Both stand-ins, the gateway and the intake in this process, so that everything can be
    counted.
    """

    box: Sandbox
    wiring: Wiring
    intake: Intake
    bell: Rings
    redis: Redis
    site: Site
    ada: str
    sql: Callable[[], int]

    def drain(self) -> list[str]:
        """Deliver and process everything that is on its way; the outcomes."""
        outcomes: list[str] = []
        while True:
            assert self.box.flush(10)
            if not self.bell.rung:
                return outcomes
            outcomes.append(str(self.intake.process(self.bell.rung.pop(0))))

    @contextmanager
    def counted(self) -> Iterator[Cost]:
        cost = Cost()
        calls, sql, commands = self._calls(), self.sql(), self._commands()
        yield cost
        cost.calls = self._calls() - calls
        cost.sql = self.sql() - sql
        cost.redis = self._commands() - commands

    def _calls(self) -> Counter[str]:
        both = Counter(self.box.wix.calls) + Counter(self.box.reviews.calls)
        del both["POST /oauth2/token"]
        return both

    def _commands(self) -> int:
        """EVALSHA counts as one: what it does inside costs no round trip."""
        stats: dict[str, dict[str, int]] = self.redis.info("commandstats")
        names = ("cmdstat_get", "cmdstat_set", "cmdstat_evalsha", "cmdstat_eval", "cmdstat_del")
        return sum(stats.get(name, {}).get("calls", 0) for name in names)

    def rate_on_wix(self, value: int) -> str:
        rating = {
            "namespace": "reviews",
            "group": "stores",
            "entityId": "beans",
            "attributeName": "overall",
        }
        return str(
            self.box.wix.create_rating(
                rating | {"value": value, "owner": {"contactId": self.ada}}, VISITOR
            )["id"]
        )

    def rate_outside(self, stars: int, email: str = "ada@example.com") -> str:
        draft = {
            "subject": {"id": "SKU-1"},
            "author": {"email": email, "display_name": "A"},
            "score": Decimal(stars),
        }
        return str(self.box.reviews.create(draft, by="visitor")["id"])


@pytest.fixture
def bench(tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis) -> Iterator[Bench]:
    with opened(tmp_path, redis, redis_server) as made:
        yield made


@contextmanager
def opened(folder: Path, redis: Redis, redis_server: EmbeddedRedis, **more: str) -> Iterator[Bench]:
    """With a ledger in SQLite, unless ``more`` names another."""
    # One webhook at a time: what comes together is stored together.
    with Sandbox(SandboxOptions(rate_per_minute=None, sender_threads=1)) as box:
        settings = box.settings() | {
            "RATINGS_SYNC_HOME": str(folder),
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
            **more,
        }
        wiring, bell = Wiring(load_settings(settings), settings), Rings()
        engine = wiring.ledger.engine
        count = (
            _statements(engine) if engine.dialect.name == "sqlite" else _round_trips(engine, folder)
        )
        site, contact = _set_up(wiring.admin, wiring, box)
        gateway = serve_door(wiring, bell, box)
        box.send_webhooks_to(gateway.url)
        made = Bench(box, wiring, wiring.intake(bell), bell, redis, site, contact, count)
        wiring.ledger.site_cache.seconds = (
            3600.0  # sites are read again each second: not for each event
        )
        time.sleep(0.2)  # the budget starts empty
        made.wiring.remotes.wix_api(site.instance_id)
        _warm_up(made)
        yield made
        gateway.stop()
        wiring.close()


def _set_up(admin: LedgerAdmin, wiring: Wiring, box: Sandbox) -> tuple[Site, str]:
    manifest = wiring.manifests["own-service"]
    site, _ = admin.sites.add(box.wix.instance_id, manifest.id, [default_field(manifest)])
    admin.mappings.import_entities(
        site, [(EntityRef("beans", "stores", "reviews"), EntityRef("SKU-1"))]
    )
    contact_id = str(box.wix.add_contact("ada@example.com", "Ada")["id"])
    admin.mappings.import_contacts(site, [Contact(contact_id, "ada@example.com")])
    return site, contact_id


def _statements(engine: Engine) -> Callable[[], int]:
    """Every statement of the worker and the gateway that SQLite gets, but for those that only frame
    others.
    """
    told: list[str] = []

    def note(statement: str) -> None:
        if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")):
            told.append(statement)

    @event.listens_for(engine, "checkout")
    def listen(driver: Any, *rest: Any) -> None:
        driver.set_trace_callback(note)

    return lambda: len(told)


def _round_trips(engine: Engine, folder: Path) -> Callable[[], int]:
    """How often PostgreSQL was waited for: it answers at a Sync, or to a Query of the simple
    protocol.

    Without the pings of connections that have rested, and without what prepares a statement, once
    for each connection.
    """
    traces: list[Path] = []

    @event.listens_for(engine, "connect")
    def listen(driver: Any, record: Any) -> None:
        traces.append(folder / f"wire-{len(traces)}")
        driver.pgconn.trace(os.open(traces[-1], os.O_CREAT | os.O_WRONLY))

    return lambda: sum(_syncs(trace) for trace in traces)


def _syncs(trace: Path) -> int:
    """Lines of libpq's trace: time, F or B, length, message and what it holds."""
    fields = (line.split("\t") for line in trace.read_text().splitlines())
    sent = [one[3].strip() for one in fields if one[1:2] == ["F"]]
    return sent.count("Query") + sum(
        pair == ("Execute", "Sync") for pair in itertools.pairwise(sent)
    )


def _warm_up(bench: Bench) -> None:
    """Token fetched, scripts known to Redis, site in the cache: as after the first minute
    of a day.
    """
    reviews, ratings = bench.box.reviews, bench.box.wix.ratings
    rating = bench.rate_on_wix(80)
    _drain_until(bench, lambda: bool(reviews.find("SKU-1", "ada@example.com")))
    reviews.change(
        str(reviews.find("SKU-1", "ada@example.com")[0]["id"]), {"score": 1}, by="visitor"
    )
    _drain_until(bench, lambda: ratings[rating]["value"] != 80)
    bench.box.wix.delete_rating(rating, VISITOR)
    bench.drain()
    assert bench.box.wix.ratings == {}


def _drain_until(bench: Bench, is_there: Callable[[], bool]) -> None:
    """The first calls to each side find an empty budget."""
    bench.drain()
    while not is_there():
        time.sleep(0.1)
        bench.bell.ring(bench.wiring.ledger.inbox.due(10))
        bench.drain()


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
    setting_up = {"onboarding", "catalogue_look", "catalogue_asked", "entity_proposal"}
    ways_in = ("person", "link", "session", "instance", "form", "attempt", "token")
    console = {f"console_{name}" for name in ways_in}
    known = names | beside | work | given | setting_up | console | {"unlinked"}
    assert known | {"site_pause"} == set(site_fault.metadata.tables)
