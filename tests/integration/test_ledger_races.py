"""Two workers at one link in the same moment.

Only PostgreSQL lets them: SQLite has one writer at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, text, update

from sync_worker.core.hold_keys import contact_tombstone
from sync_worker.core.ports.links import Attached, Commit, Shown
from sync_worker.core.values import (
    Buried,
    Change,
    Contact,
    EntityRef,
    HistoryEntry,
    HistoryKind,
    InboxState,
    Known,
    Lease,
    NewDelivery,
    Operation,
    RatingKey,
    Side,
    Slot,
)
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.links import SqlLinks
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sql_text import batch
from sync_worker.ledger.statements import tombstones
from sync_worker.ledger.tables import inbox, tombstone
from sync_worker.ledger.transactions import Transactions
from tests.factories import WIX_ENTITY, an_intent
from tests.integration.ledger.conditions_out import condition_out
from tests.integration.ledger.ground import ADA, BOB, Ground
from tests.integration.ledger.two_workers import BEGINNINGS, STEPS, Hands, take
from tests.ledgers import empty_tables
from tests.twins.observed_ledger import ObservedLedger

End = Callable[[ObservedLedger, Lease], Sequence[int]]
Engines = tuple[Engine, Engine]

ENDS: dict[str, End] = {
    "release": lambda ledger, lease: ledger.links.release(lease),
    "commit": lambda ledger, lease: ledger.links.commit(lease, Commit(release=True)).fresh,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_delivery_that_comes_as_a_run_ends_is_never_left_behind(
    fresh_postgres_url: str, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery that comes as a run ends is told to the run or gets the lease."""
    engine, other = open_engine(fresh_postgres_url), open_engine(fresh_postgres_url)
    upgrade(engine)
    holder, newcomer = (ObservedLedger(one) for one in (engine, other))
    site = holder.add_site("instance-1", "own-service")
    entity = holder.directory.add_entity(
        site.id, EntityRef("product-1", "stores", "reviews"), EntityRef("sku-1")
    )
    holder.directory.save_contact(site.id, Contact("contact-ada", "ada@example.com"))
    key = RatingKey(site.id, entity.id, "contact-ada")
    first, second = (stored(newcomer, number) for number in (1, 2))
    run = holder.links.attach(first, key).run
    assert run is not None

    has_looked, may_commit = threading.Event(), threading.Event()

    @contextmanager
    def slow_batch(connection: Connection) -> Iterator[None]:
        with batch(connection):
            yield
            if connection.engine.pool is engine.pool:
                wait_until_locked(run.lease.link_id, other)
                has_looked.set()  # for new deliveries: the last statement of either end
                may_commit.wait(10)

    monkeypatch.setattr("sync_worker.ledger.links.batch", slow_batch)
    with ThreadPoolExecutor(2) as pool:
        ended = pool.submit(end, holder, run.lease)
        assert has_looked.wait(10)
        attached: Future[Attached] = pool.submit(newcomer.links.attach, second, key)
        wait_until_done_or_waiting(attached, other)
        may_commit.set()
        assert second in ended.result() or attached.result().run is not None
    engine.dispose()
    other.dispose()


def stored(ledger: Any, number: int) -> int:
    delivery = NewDelivery(
        Side.WIX, "instance-1", f"event-{number}", Change.UPSERT, "rating-1", {}, number
    )
    return int(ledger.inbox.store(delivery).inbox_id)


def wait_until_locked(link_id: int, engine: Engine) -> None:
    is_free = text("SELECT id FROM link WHERE id = :id FOR UPDATE SKIP LOCKED")
    until = time.monotonic() + 10
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.execute(is_free, {"id": link_id}).first() is not None:
            assert time.monotonic() < until
            time.sleep(0.01)


def wait_until_done_or_waiting(future: Future[Any], engine: Engine) -> None:
    """For a lock that somebody holds in the database."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname ="
        " current_database()"
    )
    until = time.monotonic() + 10
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not future.done() and not connection.execute(waiting).scalar_one():
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.fixture
def engines(postgres_url: str) -> Iterator[Engines]:
    """Those of two processes over one database."""
    both = open_engine(postgres_url), open_engine(postgres_url)
    yield both
    for one in both:
        one.dispose()


# A person may have an ended one looked at again.
LEAVE_ENDS_ALONE = sorted(STEPS.keys() - {"release by id"})


def test_what_another_worker_ends_in_the_same_moment_stays_ended(engines: Engines) -> None:
    """It ends the delivery and has not committed yet, as the step looks at it."""
    engine, other = engines
    ledger = ObservedLedger(engine)
    ended = {"state": "done", "reason": "synced", "closed_at": 1.0}
    for name in LEAVE_ENDS_ALONE:
        empty_tables(engine)
        ledger.accounts.cache.clear()
        ground = Ground(ledger, None).set_up()
        hands = Hands(ledger, ground.site_id, ground.key)
        BEGINNINGS["two_edits"](hands)
        hands.look()
        newest = hands.newest
        is_newest = inbox.c.id == newest
        with ThreadPoolExecutor(1) as pool:
            with other.begin() as connection:
                connection.execute(update(inbox).where(is_newest).values(ended))
                step = pool.submit(take, STEPS[name], hands)
                wait_until_done_or_waiting(step, engine)
            step.result()
        assert ledger.ended(newest) == (InboxState.DONE, "synced"), name


def test_link_is_never_made_beside_an_erasure(engines: Engines) -> None:
    """The erasure has buried the contact and has not committed yet, as its rating comes."""
    engine, other = engines
    ground = Ground(ObservedLedger(engine), None).set_up()
    links, key = ground.ledger.links, ground.key
    name = contact_tombstone(key.contact_id)
    shown = Shown(Side.WIX, WIX_ENTITY, key.contact_id)
    ways: list[Callable[[int], object]] = [
        lambda inbox_id: links.attach(inbox_id, key),
        lambda inbox_id: links.attach_shown(inbox_id, key.site_id, shown),
    ]
    for number, attach in enumerate(ways):
        with ThreadPoolExecutor(1) as pool:
            with other.begin() as connection:
                tombstones.lock_ids(connection, key.site_id, {Side.WIX: [name]})
                buried = Buried(Side.WIX, name, privacy=True)
                tombstones.bury(connection, key.site_id, buried, None)
                attached = pool.submit(attach, ground.stored(number))
                wait_until_done_or_waiting(attached, engine)
                assert not attached.done()
            assert attached.exception() is not None or attached.result() is None
        assert links.link_id(key) is None
        with other.begin() as connection:
            connection.execute(delete(tombstone))


def test_record_buried_in_the_same_moment_does_not_come_on_file(engines: Engines) -> None:
    """Somebody has buried it and has not committed yet, as a run commits that it wrote it."""
    engine, other = engines
    ground = Ground(ObservedLedger(engine), None).set_up()
    run, slot = ground.leased(), Slot(Side.EXTERNAL)
    change = Commit(records={slot: Known("r1", 1)}, release=True)
    with ThreadPoolExecutor(1) as pool:
        with other.begin() as connection:
            tombstones.lock_ids(connection, ground.site_id, {Side.EXTERNAL: ["r1"]})
            tombstones.bury(connection, ground.site_id, Buried(Side.EXTERNAL, "r1"), None)
            committed = pool.submit(ground.ledger.links.commit, run.lease, change)
            wait_until_done_or_waiting(committed, engine)
            assert not committed.done()
        assert committed.result().buried == {"r1"}
    assert not ground.ledger.directory.locate(ground.site_id, Side.EXTERNAL, "r1").is_on_file
    ground.ledger.links.renew(run.lease)


class SlowToCommit(Transactions):
    """Transactions whose last moment, before the commit, takes long."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.is_about_to, self.may_commit = threading.Event(), threading.Event()

    @contextmanager
    def single(self) -> Iterator[Connection]:
        with self.engine.begin() as connection:
            yield connection
            self.is_about_to.set()
            self.may_commit.wait(10)


def test_two_deletes_of_one_moment_do_not_pass_the_brake_together(engines: Engines) -> None:
    """The intent of the twentieth is stored, and not committed yet, as the next one comes."""
    engine, other = engines
    ground = Ground(ObservedLedger(engine), None).set_up()
    links, run, rival = ground.ledger.links, ground.link(ADA, 1), ground.link(BOB, 2)
    line = HistoryEntry(HistoryKind.DELETE, Side.EXTERNAL, "overall", intent_id="i")
    links.commit(run.lease, Commit(history=[line] * 19))
    first, second = (
        an_intent(f"intent-{number}", operation=Operation.DELETE, remote_id=f"e{number}")
        for number in (1, 2)
    )
    slow = SlowToCommit(other)
    with ThreadPoolExecutor(2) as pool:
        begun = pool.submit(SqlLinks(slow, SiteCache()).open_intent, rival.lease, second)
        assert slow.is_about_to.wait(10)
        asked = pool.submit(links.open_intent, run.lease, first)
        wait_until_done_or_waiting(asked, engine)
        is_waiting = not asked.done()
        slow.may_commit.set()
        assert (is_waiting, begun.result(), asked.result()) == (True, True, False)
    assert ground.ledger.open_intents() == 1


# Locks that statements of a batch take for those after them, and the race that misses each.
LOCKS: dict[str, Callable[[Engines], None]] = {
    "brake.lock": test_two_deletes_of_one_moment_do_not_pass_the_brake_together,
    "key.name": test_link_is_never_made_beside_an_erasure,
    "key.name_shown": test_link_is_never_made_beside_an_erasure,
    "tombstone.lock_ids": test_record_buried_in_the_same_moment_does_not_come_on_file,
}


@pytest.mark.full
@pytest.mark.parametrize("name", LOCKS)
def test_lock_of_a_batch_is_missed(name: str, engines: Engines) -> None:
    with condition_out(name, "pg_advisory_xact_lock(", "abs("), pytest.raises(AssertionError):
        LOCKS[name](engines)
