"""What is forgotten and what never is, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, update

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.values import Change, InboxState, NewDelivery, Side
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.ledger.tables import entity_map, history, inbox, intent, link, run
from sync_worker.ledger.transactions import ledger_now

DAY = 86_400.0
KEEP = Retention(payload_days=7, inbox_days=30, history_days=365, run_days=90)


@dataclass
class Ground:
    engine: Engine
    ledger: SqlLedger
    retention: LedgerRetention
    site_id: int

    def deliver(
        self, dedupe_id: str, state: InboxState | None = None, days: float = 0, reason: str = ""
    ) -> int:
        """A delivery, ended (or held) some days ago; without a state it is open."""
        new = NewDelivery(
            Side.WIX, "instance-1", dedupe_id, Change.UPSERT, dedupe_id, {"name": "Ada"}
        )
        inbox_id = self.ledger.inbox.store(new).inbox_id
        if state is not None:
            self.ledger.inbox.close(inbox_id, Closing(state, reason))
        self.change(inbox, inbox_id, received_at=inbox.c.received_at - days * DAY)
        if state is not None:
            self.change(inbox, inbox_id, closed_at=inbox.c.closed_at - days * DAY)
        return inbox_id

    def change(self, table: Any, row_id: Any, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(table).where(table.c.id == row_id).values(**values))

    def add(self, table: Any, **values: Any) -> Any:
        with self.engine.begin() as connection:
            return connection.execute(
                table.insert().values(**values).returning(table.c.id)
            ).scalar_one()

    def ids(self, table: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(table.c.id).order_by(table.c.id)).scalars())

    def payload(self, inbox_id: int) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(
                select(inbox.c.payload).where(inbox.c.id == inbox_id)
            ).scalar_one()

    def now(self) -> float:
        with self.engine.begin() as connection:
            return float(connection.execute(select(ledger_now())).scalar_one())

    def prune(self, batch: int = 500) -> Counter[str]:
        forgotten: Counter[str] = Counter()
        for what, count in self.retention.prune(KEEP, batch=batch):
            assert 0 < count <= batch
            forgotten[what] += count
        return forgotten


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    site, _ = ledger_admin(engine).sites.add("instance-1", "own-service", [])
    yield Ground(engine, sql_ledger(engine), LedgerRetention(engine), site.id)
    engine.dispose()


def test_delivery_without_its_payload_is_still_known_as_a_duplicate(
    ground: Ground,
) -> None:
    """A payload goes before its delivery and the delivery is still known as a duplicate."""
    old = ground.deliver("old", InboxState.DONE, days=8)
    young = ground.deliver("young", InboxState.SUPPRESSED, days=6)
    assert ground.prune() == {"payloads": 1}
    assert (ground.payload(old), ground.payload(young)) == ({}, {"name": "Ada"})
    assert ground.ledger.inbox.store(
        NewDelivery(Side.WIX, "instance-1", "old", Change.UPSERT, "old", {})
    ).is_duplicate


def test_ended_delivery_is_known_for_30_days_and_no_longer(ground: Ground) -> None:
    ground.deliver("gone", InboxState.SUPERSEDED, days=31)
    kept = ground.deliver("kept", InboxState.DONE, days=29)
    assert ground.prune()["deliveries"] == 1
    assert ground.ids(inbox) == [kept]


def test_open_and_held_deliveries_are_never_forgotten_however_old(ground: Ground) -> None:
    still_open = ground.deliver("open", days=4000)
    held = ground.deliver("held", InboxState.HELD, days=4000, reason="unknown_contact")
    assert ground.prune() == {}
    assert ground.payload(held) == ground.payload(still_open) == {"name": "Ada"}


def test_delivery_held_for_an_unknown_site_is_forgotten_after_30_days(
    ground: Ground,
) -> None:
    """A delivery held for a site that nobody added is forgotten after 30 days."""
    ground.deliver("nobody's", InboxState.HELD, days=31, reason="unknown_site")
    kept = ground.deliver("new", InboxState.HELD, days=29, reason="unknown_site")
    assert ground.prune() == {"deliveries": 1}
    assert ground.ids(inbox) == [kept]


def test_replayed_delivery_whose_payload_is_gone_is_read_from_its_side(ground: Ground) -> None:
    old = ground.deliver("old", InboxState.DONE, days=8)
    ground.prune()
    assert ground.ledger.inbox.release_held(None, inbox_ids=[old]) == [old]
    opened = ground.ledger.inbox.open_delivery(old)
    assert opened is not None
    assert opened[0].must_read
    assert opened[0].new.remote_id == "old"
    assert ground.prune() == {}


def test_old_ended_rows_go_and_younger_and_open_ones_stay(
    ground: Ground,
) -> None:
    """Closed intents, old history and ended runs go, and the younger and open ones stay."""
    now = ground.now()
    entity_id = ground.add(
        entity_map,
        site_id=ground.site_id,
        wix_namespace="n",
        wix_group="g",
        wix_entity_id="e",
        external_group="",
        external_entity_id="x",
    )
    links = [
        ground.add(
            link, site_id=ground.site_id, entity_id=entity_id, contact_id=str(one), writes=[]
        )
        for one in range(3)
    ]
    fixed = {"site_id": ground.site_id, "side": "wix", "operation": "update"}
    fixed |= {name: {} for name in ("targets", "sources", "befores", "reasons", "source_ids")}
    for number, (state, days) in enumerate([("done", 31.0), ("done", 29.0), ("open", 400.0)]):
        closed_at = None if state == "open" else now - days * DAY
        ground.add(
            intent,
            id=f"i{number}",
            link_id=links[number],
            state=state,
            created_at=now - days * DAY,
            closed_at=closed_at,
            **fixed,
        )
    lines = [
        ground.add(history, site_id=ground.site_id, at=now - days * DAY, what="update")
        for days in (400, 366, 364, 1)
    ]
    runs = [
        ground.add(
            run,
            site_id=ground.site_id,
            kind="sweep",
            state="done",
            counts={},
            started_at=0.0,
            ended_at=ended,
        )
        for ended in (now - 91 * DAY, now - 89 * DAY, None)
    ]
    assert ground.retention.waiting(KEEP) == {
        "payloads": 0,
        "deliveries": 0,
        "intents": 1,
        "history": 2,
        "words": 0,
        "refusals": 0,
        "runs": 1,
        "import_rows": 0,
        "removed_sites": 0,
    }
    assert ground.prune() == {"intents": 1, "history": 2, "runs": 1}
    assert ground.ids(intent) == ["i1", "i2"]
    assert ground.ids(history) == lines[2:]
    assert ground.ids(run) == runs[1:]
    assert sum(ground.retention.waiting(KEEP).values()) == 0


def test_many_rows_go_in_small_batches_that_may_stop_in_between(
    ground: Ground,
) -> None:
    """Many rows go in small batches and whoever stops in between has lost nothing."""
    for number in range(25):
        ground.deliver(f"event-{number}", InboxState.DONE, days=40)
    steps = ground.retention.prune(KEEP, batch=10)
    assert [next(steps) for _ in range(4)] == [
        ("payloads", 10),
        ("payloads", 10),
        ("payloads", 5),
        ("deliveries", 10),
    ]
    assert len(ground.ids(inbox)) == 15
    assert ground.prune(batch=10) == {"deliveries": 15}


def test_words_of_the_history_are_a_hash_after_30_days(ground: Ground) -> None:
    """The line stays, and tells neither what was said nor, in a second round, anything else."""
    said = {"what": "update", "attribute": "body", "site_id": ground.site_id, "link_id": None}
    old, young = (
        ground.add(
            history, at=ground.now() - days * DAY, words_before="Bad.", words_loser="Bad.", **said
        )
        for days in (31, 29)
    )
    assert ground.prune() == {"words": 1}
    with ground.engine.connect() as connection:
        texts = select(history.c.words_before, history.c.words_after, history.c.words_loser)
        lines = {
            line: tuple(connection.execute(texts.where(history.c.id == line)).one())
            for line in (old, young)
        }
    hashed = "(4 characters, sha256 8f6684b56dc41a02cca0)"
    assert lines == {old: (hashed, None, hashed), young: ("Bad.", None, "Bad.")}
    assert ground.prune() == {}


def test_what_refusals_quote_goes_with_the_words(ground: Ground) -> None:
    """After 30 days status and code are left of what a remote said."""
    said = {"what": "refused", "side": "wix", "site_id": ground.site_id}
    reason = "update: 422 bad_words: 'my secret' may not be said"
    old, young = (
        ground.add(history, at=ground.now() - days * DAY, reason=reason, **said)
        for days in (31, 29)
    )
    assert ground.retention.waiting(KEEP)["refusals"] == 1
    assert ground.prune() == {"refusals": 1}
    with ground.engine.connect() as connection:
        lines = connection.execute(select(history.c.id, history.c.reason)).all()
    assert dict(map(tuple, lines)) == {old: "update: 422 bad_words", young: reason}
    assert ground.prune() == {}


def test_words_erased_between_look_and_write_leave_no_hash(postgres_url: str) -> None:
    """A person is erased while the retention has their lines in hand: nothing comes back."""
    engine, other = open_engine(postgres_url), open_engine(postgres_url)
    upgrade(engine)
    site, _ = ledger_admin(engine).sites.add("instance-1", "own-service", [])
    ground = Ground(engine, sql_ledger(engine), LedgerRetention(engine), site.id)
    said = {"what": "update", "attribute": "body", "site_id": site.id, "words_before": "Bad."}
    ground.add(history, at=ground.now() - 31 * DAY, **said)
    erased: list[Any] = []

    def erase_first(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        if statement.startswith("UPDATE history") and not erased:
            with other.begin() as connection:
                erased.append(connection.execute(update(history).values(words_before=None)))

    event.listen(engine, "before_cursor_execute", erase_first)
    ground.prune()
    with engine.connect() as connection:
        left = connection.execute(select(history.c.words_before, history.c.words_after)).all()
    engine.dispose()
    other.dispose()
    assert erased
    assert left == [(None, None)]
