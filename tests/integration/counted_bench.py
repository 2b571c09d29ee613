"""A worker, the gateway and both stand-ins in one process, so that all they ask can be counted."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy import Engine, event

from sync_sandbox.door import serve_door
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.values import Contact, EntityRef, Site
from sync_worker.intake.intake import Intake
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring

VISITOR = {"identityType": "MEMBER", "memberId": "visitor"}


class StandingClock:
    """Implements Clock: every lease is young, however busy the machine is that counts."""

    def monotonic(self) -> float:
        return 0.0

    def cpu_seconds(self) -> float:
        return 0.0


@dataclass
class Rings:
    rung: list[int] = field(default_factory=list)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.rung += inbox_ids


@dataclass
class Cost:
    """Of the events in between; ``calls`` without the token, which serves four hours.

    ``sql``: statements on SQLite, round trips to PostgreSQL; ``worker_sql``: those of the worker.
    """

    calls: Counter[str] = field(default_factory=Counter)
    sql: int = 0
    worker_sql: int = 0
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
    worker_sql: Callable[[], int]

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
        calls, commands = self._calls(), self._commands()
        sql, worker_sql = self.sql(), self.worker_sql()
        yield cost
        cost.calls = self._calls() - calls
        cost.sql, cost.worker_sql = self.sql() - sql, self.worker_sql() - worker_sql
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
        # Two processes over one ledger: what each of them asks is counted apart.
        wiring, door = (Wiring(load_settings(settings), settings) for _ in range(2))
        bell = Rings()
        counts = [_counter(one.ledger.engine, folder) for one in (wiring, door)]
        site, contact = _set_up(wiring.admin, wiring, box)
        gateway = serve_door(door, bell, box)
        box.send_webhooks_to(gateway.url)
        made = Bench(
            box,
            wiring,
            replace(wiring.intake(bell), clock=StandingClock()),
            bell,
            redis,
            site,
            contact,
            sql=lambda: sum(count() for count in counts),
            worker_sql=counts[0],
        )
        for one in (wiring, door):
            # sites are read again each second: not for each event
            one.ledger.site_cache.seconds = 3600.0
        time.sleep(0.2)  # the budget starts empty
        made.wiring.remotes.wix_api(site.instance_id)
        _warm_up(made)
        yield made
        gateway.stop()
        door.close()
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


def _counter(engine: Engine, folder: Path) -> Callable[[], int]:
    """What was asked of the ledger through this engine so far."""
    if engine.dialect.name == "sqlite":
        return _statements(engine)
    return _round_trips(engine, folder)


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
        traces.append(folder / f"wire-{id(engine)}-{len(traces)}")
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
