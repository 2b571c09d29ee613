"""What every ledger does: the in-memory twin, SQLite and PostgreSQL pass the same tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from sync_worker.core.errors import LeaseLost, Permanent
from sync_worker.core.ports.directory import RecordsOfEntity
from sync_worker.core.ports.inbox import (
    MAX_DEATHS,
    RATE_LIMITED,
    RATE_LIMITED_AT_ONCE,
    TRACK_AFTER,
    Closing,
    Look,
)
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Base,
    Buried,
    Contact,
    EntityRef,
    HistoryEntry,
    InboxState,
    Intent,
    IntentState,
    Known,
    LinkState,
    NewDelivery,
    Operation,
    RatingKey,
    RecordState,
    Side,
    Slot,
)
from sync_worker.ledger.admin import LedgerAdmin
from sync_worker.ledger.base import InboxObserver
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger
from tests.simulation.world import OVERALL
from tests.twins.memory_ledger import MemoryLedger
from tests.twins.observed_ledger import ObservedLedger

WIX = EntityRef("product-1", "stores", "reviews")
EXTERNAL = EntityRef("sku-1")
ADA = Contact("contact-ada", "ada@example.com")


@dataclass
class Ground:
    """A ledger with one site, entity and person.

    ``wait`` lets the ledger's clock go on (only virtual ones jump).
    """

    ledger: Any
    wait: Callable[[float], None] | None
    site_id: int = 0
    key: RatingKey = field(default_factory=lambda: RatingKey(0, 0, ""))

    def set_up(self) -> Ground:
        site = self.ledger.add_site("instance-1", "own-service", None, (OVERALL,))
        entity = self.ledger.directory.add_entity(site.id, WIX, EXTERNAL)
        self.ledger.directory.save_contact(site.id, ADA)
        self.site_id, self.key = site.id, RatingKey(site.id, entity.id, ADA.contact_id)
        return self

    def stored(self, number: int = 1, **changes: Any) -> int:
        return int(self.ledger.inbox.store(a_delivery(number, **changes)).inbox_id)

    def leased(self, number: int = 1) -> Any:
        return self.ledger.links.attach(self.stored(number), self.key).run


def a_delivery(number: int = 1, **changes: Any) -> NewDelivery:
    delivery = NewDelivery(
        Side.WIX, "instance-1", f"event-{number}", "upsert", "rating-1", {"n": number}, number
    )
    return replace(delivery, **changes)


def an_intent(name: str = "intent-1") -> Intent:
    return Intent(
        name,
        Slot(Side.EXTERNAL),
        Operation.CREATE,
        {"overall": Decimal("4.5")},
        {"overall": Decimal(90)},
        source_ids={"overall": "rating-1"},
    )


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    now = [1_000_000.0]

    def jump(seconds: float) -> None:
        now[0] += seconds

    if request.param == "memory":
        yield Ground(MemoryLedger(lambda: now[0]), jump).set_up()
        return
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    engine = open_engine(url, clock=lambda: now[0])
    upgrade(engine)
    jumps = jump if request.param == "sqlite" else None
    yield Ground(ObservedLedger(engine, makes_tables=False), jumps).set_up()
    engine.dispose()


def jumping(ground: Ground) -> Callable[[float], None]:
    if ground.wait is None:
        pytest.skip("the clock of PostgreSQL does not jump; the same statements run on SQLite")
    return ground.wait


# -- the door


def test_same_delivery_id_is_stored_once(ground: Ground) -> None:
    first, again = ground.ledger.inbox.store(a_delivery()), ground.ledger.inbox.store(a_delivery())
    assert (again.inbox_id, first.is_duplicate, again.is_duplicate) == (first.inbox_id, False, True)


def test_delivery_keeps_every_part(ground: Ground) -> None:
    new = a_delivery(
        payload={"score": Decimal("4.50"), "text": "schön", "list": [1, None, True]},
        sequence=7,
        is_restore=True,
        is_ours=True,
        privacy=True,
    )
    opened = ground.ledger.inbox.open_delivery(ground.ledger.inbox.store(new).inbox_id)
    assert opened is not None
    assert opened[0].new == new
    assert opened[0].new.payload == new.payload
    assert opened[1].instance_id == "instance-1"


def test_thin_delivery_is_absorbed_only_until_a_run_takes_its_twin(ground: Ground) -> None:
    thin = a_delivery(dedupe_id=None)
    first = ground.ledger.inbox.store(thin)
    assert ground.ledger.inbox.store(thin).is_duplicate
    ground.ledger.links.attach(first.inbox_id, ground.key)
    assert not ground.ledger.inbox.store(thin).is_duplicate


def test_delivery_of_unknown_source_has_no_site(ground: Ground) -> None:
    opened = ground.ledger.inbox.open_delivery(ground.stored(source="instance-9"))
    assert opened is not None
    assert opened[1] is None


def test_closed_delivery_is_not_opened_again(ground: Ground) -> None:
    inbox_id = ground.stored()
    ground.ledger.inbox.close(inbox_id, Closing(InboxState.DONE, "stale"))
    assert ground.ledger.inbox.open_delivery(inbox_id) is None


def test_sweeper_rings_for_a_delivery_whose_doorbell_was_lost_and_then_waits(
    ground: Ground,
) -> None:
    jump = jumping(ground)
    inbox_id = ground.stored()
    assert ground.ledger.inbox.due(10) == []
    jump(6)
    assert ground.ledger.inbox.due(10) == [inbox_id]
    assert ground.ledger.inbox.due(10) == []
    jump(11)
    assert ground.ledger.inbox.due(10) == [inbox_id]


def test_dead_workers_delivery_is_due_within_thirty_seconds(ground: Ground) -> None:
    jump = jumping(ground)
    ground.leased()
    jump(25)
    assert len(ground.ledger.inbox.due(10)) == 1


def test_failures_back_off_and_end_held_after_two_days(ground: Ground) -> None:
    jump = jumping(ground)
    inbox_id = ground.stored()
    for _ in range(3):
        ground.ledger.inbox.defer([inbox_id], None, "the remote is down", is_failure=True)
    opened = ground.ledger.inbox.open_delivery(inbox_id)
    assert opened is not None
    assert opened[0].attempts == 3
    assert ground.ledger.inbox.due(10) == []
    jump(48 * 3600 + 60)
    ground.ledger.inbox.defer([inbox_id], None, "the remote is down", is_failure=True)
    assert ground.ledger.inbox.open_delivery(inbox_id) is None
    assert ground.ledger.inbox.release_held(None, inbox_ids=[inbox_id]) == [inbox_id]


def make_due(ground: Ground, inbox_id: int) -> None:
    """As if its time had come; PostgreSQL's clock does not jump."""
    if isinstance(ground.ledger, MemoryLedger):
        ground.ledger.rows[inbox_id].next_attempt_at = 0.0
        return
    with ground.ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE inbox SET next_attempt_at = 0 WHERE id = :id"), {"id": inbox_id}
        )


def rung_again(ground: Ground, inbox_id: int) -> Any:
    """Nobody ended it and its time has come: the sweeper rings, and a worker opens it."""
    make_due(ground, inbox_id)
    assert ground.ledger.inbox.due(10) == [inbox_id]
    return ground.ledger.inbox.open_delivery(inbox_id)[0]


def doubtful(ground: Ground, inbox_id: int) -> Any:
    """The sweeper rang for it twice, and nobody ended it."""
    assert rung_again(ground, inbox_id).suspected_crashes == 1
    delivery = rung_again(ground, inbox_id)
    assert delivery.suspected_crashes == TRACK_AFTER
    return delivery


def test_delivery_that_workers_die_over_is_held_after_so_many_deaths(ground: Ground) -> None:
    """In the middle of a run, too: what took it with its link does not bring its next attempt
    nearer.
    """
    inbox_id = ground.stored()
    delivery = doubtful(ground, inbox_id)
    for death in range(MAX_DEATHS):
        assert ground.ledger.inbox.begin_look(delivery) is Look.BEGUN
        run = ground.ledger.links.attach(inbox_id, ground.key).run
        assert [one.id for one in run.deliveries] == [inbox_id]
        assert ground.ledger.inbox.due(10) == []
        ground.ledger.links.release(run.lease)  # stands for a lease that ran out
        delivery = rung_again(ground, inbox_id)
        assert delivery.attempts == death
    assert ground.ledger.inbox.begin_look(delivery) is Look.GIVEN_UP
    assert ground.ledger.inbox.open_delivery(inbox_id) is None
    assert ground.ledger.inbox.release_held(None, inbox_ids=[inbox_id]) == [inbox_id]
    again = ground.ledger.inbox.open_delivery(inbox_id)[0]
    assert (again.suspected_crashes, again.attempts) == (0, 0)


def test_look_that_is_under_way_or_not_due_is_not_begun_again(ground: Ground) -> None:
    """A dead worker's message comes back after two minutes, whatever the next attempt says."""
    inbox_id = ground.stored()
    delivery = doubtful(ground, inbox_id)
    assert ground.ledger.inbox.begin_look(delivery) is Look.BEGUN
    assert ground.ledger.inbox.begin_look(delivery) is Look.EARLY
    assert (
        ground.ledger.inbox.begin_look(ground.ledger.inbox.open_delivery(inbox_id)[0]) is Look.EARLY
    )


@pytest.mark.parametrize("end", ["deferred", "ended without a word"])
def test_look_that_ends_in_any_way_is_no_death(ground: Ground, end: str) -> None:
    inbox_id = ground.stored()
    assert ground.ledger.inbox.begin_look(doubtful(ground, inbox_id)) is Look.BEGUN
    if end == "deferred":
        ground.ledger.inbox.defer([inbox_id], 0.0, RATE_LIMITED, is_failure=False)
    ground.ledger.inbox.end_look(ground.ledger.inbox.open_delivery(inbox_id)[0])
    delivery = ground.ledger.inbox.open_delivery(inbox_id)[0]
    assert (delivery.suspected_crashes, delivery.attempts) == (0, 0)
    assert ground.ledger.inbox.due(10) == ([inbox_id] if end == "deferred" else [])


def test_look_that_finds_the_lease_of_a_dead_worker_changes_no_count(ground: Ground) -> None:
    """A long run renews its lease, so it may outlive the delivery's next attempt."""
    inbox_id = ground.stored()
    ground.ledger.inbox.begin_look(doubtful(ground, inbox_id))
    delivery = rung_again(ground, inbox_id)
    ground.ledger.inbox.begin_look(delivery)
    delivery = rung_again(ground, inbox_id)
    assert (delivery.suspected_crashes, delivery.attempts) == (TRACK_AFTER + 2, 1)
    ground.ledger.inbox.begin_look(delivery)
    ground.ledger.inbox.end_look(delivery, is_busy=True)
    assert ground.ledger.inbox.due(10) == []
    again = rung_again(ground, inbox_id)
    assert (again.suspected_crashes, again.attempts) == (
        delivery.suspected_crashes,
        delivery.attempts,
    )


def test_deaths_are_retried_at_once_at_first_and_ever_later_then(ground: Ground) -> None:
    """The first three noted ones within 30 s, as any killed worker's; the last ones rest for many
    minutes.
    """
    jump = jumping(ground)
    inbox_id = ground.stored()
    delivery = doubtful(ground, inbox_id)
    waits = []
    for _ in range(MAX_DEATHS):
        jump(10)
        ground.ledger.inbox.begin_look(delivery)
        seconds = 0
        while not ground.ledger.inbox.due(10):
            jump(5)
            seconds += 5
        waits.append(seconds)
        delivery = ground.ledger.inbox.open_delivery(inbox_id)[0]
    assert all(wait <= 25 for wait in waits[:3])
    assert all(
        5 * 2**number / 2 <= wait <= 5 * 2**number + 5
        for number, wait in enumerate(waits)
        if number > 3
    )
    assert waits[-1] > 20 * 60


def test_waiting_for_the_budget_is_no_failed_attempt(ground: Ground) -> None:
    inbox_id = ground.stored()
    ground.ledger.inbox.defer([inbox_id], 0.0, "rate_limited", is_failure=False)
    assert ground.ledger.inbox.open_delivery(inbox_id)[0].attempts == 0
    assert ground.ledger.inbox.due(10) == [inbox_id]


def test_sweep_rings_for_few_of_those_that_wait_for_a_budget_and_for_all_others(
    ground: Ground,
) -> None:
    waiting = [ground.stored(number) for number in range(20)]
    ground.ledger.inbox.defer(waiting, 0.0, RATE_LIMITED, is_failure=False)
    others = [ground.stored(number) for number in range(20, 23)]
    ground.ledger.inbox.defer(others, 0.0, "", is_failure=False)
    assert ground.ledger.inbox.due(100) == [*waiting[:RATE_LIMITED_AT_ONCE], *others]
    assert ground.ledger.inbox.due(100) == waiting[RATE_LIMITED_AT_ONCE : 2 * RATE_LIMITED_AT_ONCE]


def test_what_is_held_for_a_thing_is_released_by_its_name(ground: Ground) -> None:
    inbox_id, other = ground.stored(1), ground.stored(2)
    ground.ledger.inbox.hold([inbox_id], "unknown_entity", hold_key="entity:wix:a")
    ground.ledger.inbox.hold([other], "unknown_entity", hold_key="entity:wix:b")
    assert ground.ledger.inbox.release_held(ground.site_id, hold_key="entity:wix:a") == [inbox_id]
    delivery = ground.ledger.inbox.open_delivery(inbox_id)[0]
    assert delivery.must_read
    assert ground.ledger.inbox.open_delivery(other) is None


def test_delivery_of_unknown_site_is_held_and_told_when_the_site_is_there(ground: Ground) -> None:
    known, unknown = a_delivery(1), a_delivery(2, source="instance-9")
    assert ground.ledger.inbox.hold_for_site(ground.ledger.inbox.store(known).inbox_id, known)
    assert not ground.ledger.inbox.hold_for_site(
        ground.ledger.inbox.store(unknown).inbox_id, unknown
    )


def test_evidence_is_the_delivery_of_exactly_that_revision(ground: Ground) -> None:
    ground.stored(3)
    assert (
        ground.ledger.inbox.evidence(ground.site_id, Side.WIX, "rating-1", 3).new.dedupe_id
        == "event-3"
    )
    assert ground.ledger.inbox.evidence(ground.site_id, Side.WIX, "rating-1", 4) is None


# -- keys


def test_entity_is_found_under_both_of_its_names(ground: Ground) -> None:
    on_wix = ground.ledger.directory.entity(ground.site_id, Side.WIX, WIX)
    assert on_wix == ground.ledger.directory.entity(ground.site_id, Side.EXTERNAL, EXTERNAL)
    assert ground.ledger.directory.entity(ground.site_id, Side.WIX, EntityRef("other")) is None


def test_first_mapping_of_an_address_wins(ground: Ground) -> None:
    kept = ground.ledger.directory.save_contact(ground.site_id, Contact("contact-new", ADA.email))
    assert kept.contact_id == ADA.contact_id
    assert (
        ground.ledger.directory.contact(ground.site_id, email=ADA.email).contact_id
        == ADA.contact_id
    )


def test_buried_id_is_known_with_its_highest_numbers(ground: Ground) -> None:
    ground.ledger.directory.bury(ground.site_id, Buried(Side.WIX, "gone", revision=5, sequence=9))
    ground.ledger.directory.bury(ground.site_id, Buried(Side.WIX, "gone", revision=3, privacy=True))
    located = ground.ledger.directory.locate(ground.site_id, Side.WIX, "gone")
    assert located.buried == Buried(Side.WIX, "gone", 5, 9, privacy=True)
    assert not located.is_on_file


# -- leases


def test_link_is_leased_to_one_at_a_time(ground: Ground) -> None:
    run = ground.leased()
    assert ground.ledger.links.lease(run.lease.link_id) is None
    ground.ledger.links.release(run.lease)
    assert ground.ledger.links.lease(run.lease.link_id).lease.fence > run.lease.fence


def test_lease_that_ran_out_writes_nothing_more(ground: Ground) -> None:
    jump = jumping(ground)
    late = ground.leased()
    jump(16)
    ground.ledger.links.lease(late.lease.link_id)
    with pytest.raises(LeaseLost):
        ground.ledger.links.renew(late.lease)
    with pytest.raises(LeaseLost):
        ground.ledger.links.open_intent(late.lease, an_intent())
    with pytest.raises(LeaseLost):
        ground.ledger.links.commit(late.lease, Commit(link_state=LinkState.BURIED))
    assert ground.ledger.open_intents() == 0


def test_intent_leaves_time_for_its_call_under_a_lease_just_taken_and_under_an_older_one(
    ground: Ground,
) -> None:
    jump = jumping(ground)
    for age, intent_id in (
        (0.0, "intent-1"),
        (0.4, "intent-2"),
        (0.6, "intent-3"),
        (14.9, "intent-4"),
    ):
        run = ground.leased()
        jump(age)
        ground.ledger.links.open_intent(run.lease, an_intent(intent_id))
        jump(14.4)
        ground.ledger.links.commit(run.lease, Commit(intent_state=IntentState.CONFIRMED))
        ground.ledger.links.release(run.lease)


def test_intent_is_refused_under_a_lease_that_another_has_taken_since(ground: Ground) -> None:
    late = ground.leased()
    ground.ledger.links.release(late.lease)
    with pytest.raises(LeaseLost):
        ground.ledger.links.open_intent(late.lease, an_intent())
    assert ground.ledger.links.lease(late.lease.link_id) is not None
    with pytest.raises(LeaseLost):
        ground.ledger.links.open_intent(late.lease, an_intent())
    assert ground.ledger.open_intents() == 0


def test_late_release_does_not_end_the_next_holders_lease(ground: Ground) -> None:
    jump = jumping(ground)
    late = ground.leased()
    jump(16)
    assert ground.ledger.links.lease(late.lease.link_id) is not None
    ground.ledger.links.release(late.lease)
    assert ground.ledger.links.lease(late.lease.link_id) is None


def test_run_takes_every_open_delivery_of_its_link(ground: Ground) -> None:
    run = ground.leased(1)
    for number in (2, 3, 4):
        ground.ledger.links.attach(ground.stored(number), ground.key)
    ground.ledger.links.release(run.lease)
    run = ground.ledger.links.lease(run.lease.link_id)
    assert [delivery.new.dedupe_id for delivery in run.deliveries] == [
        "event-1",
        "event-2",
        "event-3",
        "event-4",
    ]


def test_end_of_a_lease_tells_what_came_in_meanwhile(ground: Ground) -> None:
    run = ground.leased(1)
    assert ground.ledger.links.commit(run.lease, Commit()).fresh == ()
    second = ground.stored(2)
    assert ground.ledger.links.attach(second, ground.key).run is None
    assert list(ground.ledger.links.commit(run.lease, Commit(release=True)).fresh) == [second]
    again = ground.ledger.links.lease(run.lease.link_id)
    third = ground.stored(3)
    ground.ledger.links.attach(third, ground.key)
    assert list(ground.ledger.links.release(again.lease)) == [third]


# -- steps of a run


def test_step_is_read_back_as_it_was_committed(ground: Ground) -> None:
    run = ground.leased()
    ground.ledger.links.open_intent(run.lease, an_intent())
    crashed = ground.ledger
    crashed.release(run.lease)
    again = crashed.lease(run.lease.link_id)
    assert again.intent == an_intent()
    assert again.intent.targets == {"overall": Decimal("4.5")}
    wix = Known("rating-1", 3, 8)
    external = Known("r1", 1, None, RecordState.PUBLISHED, {"score": Decimal("4.5")})
    crashed.commit(
        again.lease,
        Commit(
            records={Slot(Side.WIX, "overall"): wix, Slot(Side.EXTERNAL): external},
            bases={"overall": Base(Decimal(90), Decimal("4.5"))},
            link_state=LinkState.LIVE,
            intent_state=IntentState.CONFIRMED,
            writes=[again.now],
            history=[
                HistoryEntry(
                    "create", Side.EXTERNAL, "overall", after=Decimal("4.5"), intent_id="intent-1"
                )
            ],
            closings={
                delivery.id: Closing(InboxState.DONE, "synced") for delivery in again.deliveries
            },
            release=True,
        ),
    )
    last = crashed.lease(run.lease.link_id)
    assert last.intent is None
    assert last.deliveries == ()
    assert last.link.records == {Slot(Side.WIX, "overall"): wix, Slot(Side.EXTERNAL): external}
    assert last.link.records[Slot(Side.EXTERNAL)].raw == {"score": Decimal("4.5")}
    assert last.link.bases == {"overall": Base(Decimal(90), Decimal("4.5"))}
    assert last.link.writes == (again.now,)
    assert [entry.what for entry in crashed.history_entries()] == ["create"]
    assert crashed.locate(ground.site_id, Side.EXTERNAL, "r1").key == ground.key


def test_link_takes_no_record_that_another_link_has_on_file(ground: Ground) -> None:
    run = ground.leased()
    ground.ledger.links.commit(run.lease, Commit(records={Slot(Side.EXTERNAL): Known("r1")}))
    entity = ground.ledger.directory.add_entity(
        ground.site_id, EntityRef("product-2", "stores", "reviews"), EntityRef("sku-2")
    )
    other = ground.ledger.links.attach(
        ground.stored(2), replace(ground.key, entity_id=entity.id)
    ).run
    with pytest.raises(Permanent):
        ground.ledger.links.commit(other.lease, Commit(records={Slot(Side.EXTERNAL): Known("r1")}))


@pytest.mark.parametrize("slot", [Slot(Side.EXTERNAL), Slot(Side.WIX, "overall")], ids=str)
def test_whoever_has_lost_the_lease_is_told_so_whatever_else_is_wrong_with_the_commit(
    ground: Ground, slot: Slot
) -> None:
    run = ground.leased()
    ground.ledger.links.commit(run.lease, Commit(records={slot: Known("r1")}))
    entity = ground.ledger.directory.add_entity(
        ground.site_id, EntityRef("product-2", "stores", "reviews"), EntityRef("sku-2")
    )
    late = ground.ledger.links.attach(
        ground.stored(2), replace(ground.key, entity_id=entity.id)
    ).run
    ground.ledger.links.release(late.lease)
    held = ground.ledger.links.lease(late.lease.link_id)
    lost = Commit(
        records={slot: Known("r1")}, history=[HistoryEntry("create", slot.side, "overall")]
    )
    with pytest.raises(LeaseLost):
        ground.ledger.links.commit(late.lease, lost)
    with pytest.raises(LeaseLost):
        ground.ledger.links.commit(late.lease, replace(lost, records={slot: Known("r2")}))
    assert not ground.ledger.directory.locate(ground.site_id, slot.side, "r2").is_on_file
    ground.ledger.links.commit(held.lease, Commit(records={slot: Known("r2")}))
    assert ground.ledger.directory.locate(ground.site_id, slot.side, "r2").is_on_file


def test_record_that_a_link_has_on_file_is_buried_by_its_run_alone(ground: Ground) -> None:
    run = ground.leased()
    slots = {Side.EXTERNAL: Slot(Side.EXTERNAL), Side.WIX: Slot(Side.WIX, "overall")}
    ground.ledger.links.commit(
        run.lease, Commit(records={slot: Known(f"r-{side}") for side, slot in slots.items()})
    )
    for side in Side:
        assert not ground.ledger.directory.bury(ground.site_id, Buried(side, f"r-{side}"))
        assert ground.ledger.directory.locate(ground.site_id, side, f"r-{side}").is_on_file
        assert ground.ledger.directory.bury(ground.site_id, Buried(side, "another"))
    ground.ledger.links.commit(run.lease, Commit(records={slots[Side.EXTERNAL]: None}))
    assert (
        ground.ledger.directory.locate(ground.site_id, Side.EXTERNAL, f"r-{Side.EXTERNAL}").buried
        is None
    )


def test_burial_keeps_the_key_and_a_revival_takes_it_back(ground: Ground) -> None:
    run = ground.leased()
    slot = Slot(Side.WIX, "overall")
    ground.ledger.links.commit(run.lease, Commit(records={slot: Known("rating-1", 2)}))
    ground.ledger.links.commit(
        run.lease,
        Commit(
            records={slot: None},
            buried=[Buried(Side.WIX, "rating-1", 2)],
            link_state=LinkState.BURIED,
        ),
    )
    located = ground.ledger.directory.locate(ground.site_id, Side.WIX, "rating-1")
    assert (located.key, located.is_on_file) == (ground.key, False)
    committed = ground.ledger.links.commit(
        run.lease, Commit(records={slot: Known("rating-1", 2)}, release=True)
    )
    assert committed.buried == {"rating-1"}
    assert not ground.ledger.directory.locate(ground.site_id, Side.WIX, "rating-1").is_on_file
    ground.ledger.links.renew(run.lease)  # it was not released: the holder has to plan once more
    grave = ground.ledger.directory.locate(ground.site_id, Side.WIX, "rating-1").buried
    revived = Commit(records={slot: Known("rating-1", 3)}, revived=[grave])
    assert ground.ledger.links.commit(run.lease, revived).buried == frozenset()
    assert ground.ledger.directory.locate(ground.site_id, Side.WIX, "rating-1").is_on_file


@pytest.mark.parametrize("privacy", [False, True])
def test_run_says_which_of_its_deliveries_have_no_grave(ground: Ground, privacy: bool) -> None:
    run = ground.leased()
    assert run.unburied == {(Side.WIX, "rating-1")}
    ground.ledger.links.release(run.lease)
    ground.ledger.directory.bury(ground.site_id, Buried(Side.EXTERNAL, "rating-1"))
    ground.ledger.directory.bury(ground.site_id, Buried(Side.WIX, "rating-2", privacy=privacy))
    run = ground.ledger.links.attach(ground.stored(2, remote_id="rating-2"), ground.key).run
    assert (Side.WIX, "rating-2") not in run.unburied


def test_run_whose_record_was_buried_meanwhile_ends_no_delivery_before_it_is_over(
    ground: Ground,
) -> None:
    """Whoever buried the record leaves the rest to the run: if it dies, an open delivery must bring
    the next one.
    """
    run = ground.leased()
    (delivery,) = run.deliveries
    ground.ledger.directory.bury(ground.site_id, Buried(Side.EXTERNAL, "r1"))
    end = Commit(
        records={Slot(Side.EXTERNAL): Known("r1", 1)},
        closings={delivery.id: Closing(InboxState.DONE, "synced")},
        release=True,
    )
    assert ground.ledger.links.commit(run.lease, end).buried == {"r1"}
    assert ground.ledger.inbox.open_delivery(delivery.id) is not None
    ground.ledger.links.commit(run.lease, replace(end, records={}))
    assert ground.ledger.inbox.open_delivery(delivery.id) is None


def test_delete_brake_counts_the_deletes_of_the_last_hour(ground: Ground) -> None:
    run = ground.leased()
    deleted = HistoryEntry("delete", Side.EXTERNAL, "overall", intent_id="i")
    ground.ledger.links.commit(run.lease, Commit(history=[deleted] * 19))
    assert not ground.ledger.links.deletes_exceeded(ground.site_id, Side.EXTERNAL)
    ground.ledger.links.commit(run.lease, Commit(history=[deleted]))
    assert ground.ledger.links.deletes_exceeded(ground.site_id, Side.EXTERNAL)
    assert not ground.ledger.links.deletes_exceeded(ground.site_id, Side.WIX)


def test_delete_brake_of_a_large_site_grips_at_five_percent_of_its_live_links(
    ground: Ground,
) -> None:
    run = ground.leased()
    for number in range(440):  # 441 with the leased one: five percent are 22.05
        ground.ledger.links.link_of(replace(run.link.key, contact_id=f"contact-{number}"))
    deleted = HistoryEntry("delete", Side.EXTERNAL, "overall", intent_id="i")
    ground.ledger.links.commit(run.lease, Commit(link_state=LinkState.LIVE, history=[deleted] * 22))
    assert not ground.ledger.links.deletes_exceeded(ground.site_id, Side.EXTERNAL)
    assert ground.ledger.links.deletes_exceeded(ground.site_id, Side.EXTERNAL, more=1)


def test_family_of_a_thing_is_its_records_on_file_and_its_shadowed_ones(ground: Ground) -> None:
    run = ground.leased()
    known = Known("r1", None, None, RecordState.PENDING, {"id": "r1", "score": Decimal("4.5")})
    ground.ledger.links.commit(
        run.lease, Commit(records={Slot(Side.EXTERNAL): known}, shadowed={"r0"})
    )
    ground.ledger.links.commit(run.lease, Commit(shadowed={"r0", "r-1"}, release=True))
    family = ground.ledger.directory.records_of_entity(ground.site_id, EXTERNAL)
    assert (family.on_file, family.shadowed) == ({"r1": known}, {"r0", "r-1"})
    assert ground.ledger.directory.records_of_entity(
        ground.site_id, EntityRef("sku-2")
    ) == RecordsOfEntity({})
    again = ground.ledger.links.lease(run.lease.link_id)
    assert again.link.shadowed == {"r0", "r-1"}


def test_held_among_many_ids_are_those_that_a_held_delivery_speaks_of(ground: Ground) -> None:
    inbox_id = ground.ledger.inbox.store(
        NewDelivery(Side.EXTERNAL, "own-service", None, "upsert", "r7", {})
    ).inbox_id
    ids = [f"r{number}" for number in range(1200)]
    assert ground.ledger.inbox.held_among(ground.site_id, Side.EXTERNAL, ids) == frozenset()
    ground.ledger.inbox.hold([inbox_id], "unknown_contact")
    assert ground.ledger.inbox.held_among(ground.site_id, Side.EXTERNAL, ids) == {"r7"}
    assert ground.ledger.inbox.held_among(ground.site_id, Side.WIX, ids) == frozenset()


# -- many at once, on the real databases


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def ledgers(database_url: str) -> Iterator[list[ObservedLedger]]:
    """Two ledgers over one database, as two processes have them."""
    engines = [open_engine(database_url, pool_size=16) for _ in range(2)]
    upgrade(engines[0])
    yield [ObservedLedger(engine, makes_tables=False) for engine in engines]
    for engine in engines:
        engine.dispose()


def all_at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(count)

    def start(number: int) -> Any:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def test_one_delivery_from_many_doors_at_once_is_one_row(ledgers: list[ObservedLedger]) -> None:
    stored = all_at_once(16, lambda number: ledgers[number % 2].store(a_delivery()))
    assert len({one.inbox_id for one in stored}) == 1
    assert sum(not one.is_duplicate for one in stored) == 1


def test_one_lease_for_many_workers_at_once(ledgers: list[ObservedLedger]) -> None:
    ground = Ground(ledgers[0], None).set_up()
    attached = all_at_once(
        8, lambda number: ledgers[number % 2].attach(ground.stored(number), ground.key)
    )
    (link_id,) = {one.link_id for one in attached}
    (first,) = (one.run for one in attached if one.run is not None)
    ledgers[0].release(first.lease)
    runs = all_at_once(16, lambda number: ledgers[number % 2].lease(link_id))
    winners = [run for run in runs if run is not None]
    assert len(winners) == 1
    assert len(winners[0].deliveries) == 8


def test_site_that_returns_is_active_at_once_for_every_process(
    ledgers: list[ObservedLedger],
) -> None:
    ground = Ground(ledgers[0], None).set_up()
    ledgers[1].site_cache_seconds = 3600.0

    def seen_by_the_other(inbox_id: int) -> str:
        opened = ledgers[1].open_delivery(inbox_id)
        assert opened is not None
        assert opened[1] is not None
        return opened[1].state

    for state in ("paused", "recovery"):
        ground.ledger.sites.note_lifecycle(ground.site_id, "removed", None)
        ground.ledger.sites.note_lifecycle(ground.site_id, state, None)
        inbox_id = ground.stored(len(state))
        assert seen_by_the_other(inbox_id) == state
        LedgerAdmin(ledgers[0].engine).set_state(ground.site_id, "active")
        assert seen_by_the_other(inbox_id) == "active"
        ledgers[1]._sites.clear()


def test_two_sweepers_never_ring_for_the_same_delivery(ledgers: list[ObservedLedger]) -> None:
    Ground(ledgers[0], None).set_up()
    ids = [ledgers[0].store(a_delivery(number)).inbox_id for number in range(40)]
    ledgers[0].defer(ids, 0.0, "", is_failure=False)
    rung = [
        one for due in all_at_once(8, lambda number: ledgers[number % 2].due(10)) for one in due
    ]
    assert len(rung) == len(set(rung))


def test_lease_ends_by_the_databases_own_clock(ledgers: list[ObservedLedger]) -> None:
    """One far from its end is refused to others; one past its end is taken over, and its holder
    finds out.
    """
    ledger = ledgers[0]
    link_id = ledger.links.link_of(Ground(ledger, None).set_up().key)
    held = ledger.links.lease(link_id)
    assert held is not None
    assert ledger.links.lease(link_id) is None
    ledger.links.release(held.lease)
    first = SqlLedger(ledger.engine, lease_seconds=0.01).lease(link_id)
    assert first is not None
    time.sleep(0.1)
    assert ledger.links.lease(link_id) is not None
    with pytest.raises(LeaseLost):
        ledger.links.commit(first.lease, Commit(link_state=LinkState.BURIED))


def test_ledger_tells_of_first_looks_and_of_what_dead_workers_left(
    ledgers: list[ObservedLedger],
) -> None:
    """Not of a look after a failure, nor of what is still in the hands of a worker or was given
    back.
    """
    ground = Ground(ledgers[0], None).set_up()
    looks: list[float] = []
    left: list[int] = []
    ledger = SqlLedger(
        ledgers[0].engine, observer=InboxObserver(looks.append, lambda: left.append(1))
    )
    inbox_id = ground.stored()
    time.sleep(0.05)
    ledger.inbox.open_delivery(inbox_id)
    ledger.inbox.defer([inbox_id], 0.0, "the remote is down", is_failure=True)
    ledger.inbox.open_delivery(inbox_id)
    assert [0.05 <= seconds < 30 for seconds in looks] == [True]

    run = ledger.links.attach(inbox_id, ground.key).run
    assert run is not None
    ledger.inbox.open_delivery(inbox_id)
    ledger.links.release(run.lease)
    ledger.inbox.open_delivery(inbox_id)
    assert left == []
    assert SqlLedger(ledger.engine, lease_seconds=0.01).lease(run.lease.link_id) is not None
    time.sleep(0.05)
    ledger.inbox.open_delivery(inbox_id)
    assert left == [1]


def test_many_processes_may_bring_one_database_up_to_date_at_once(database_url: str) -> None:
    engines = [open_engine(database_url) for _ in range(6)]
    all_at_once(6, lambda number: upgrade(engines[number]))
    for engine in engines:
        engine.dispose()


def test_sqlite_keeps_what_was_committed_whatever_happens(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    engine.dispose()
