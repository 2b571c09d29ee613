"""What every ledger does for sweeps: the in-memory twin, SQLite and PostgreSQL pass the
same tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.errors import LeaseLost
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.sweep_values import Finding, Listed, Mark, OnFile, Phase, RunKind, Sweep
from sync_worker.core.values import (
    Base,
    Buried,
    Contact,
    InboxState,
    Known,
    NewDelivery,
    Person,
    RatingKey,
    Record,
    Side,
    Site,
    Slot,
)
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from tests.integration.test_ledger import ADA, EXTERNAL, WIX, Ground
from tests.twins.memory_ledger import MemoryLedger
from tests.twins.memory_runs import MemoryRuns
from tests.twins.observed_ledger import ObservedLedger

W, E = Side.WIX, Side.EXTERNAL


@dataclass
class Field:
    """A ledger with a site, and its part for sweeps."""

    ground: Ground
    runs: Any
    site: Site

    @property
    def ledger(self) -> Any:
        return self.ground.ledger

    def begin(self, kind: RunKind = RunKind.SWEEP) -> Sweep:
        sweep = self.runs.begin(self.site.id, kind)
        assert isinstance(sweep, Sweep)
        return sweep

    def link(self, number: int) -> RatingKey:
        """A link with a record on both sides, ``w{number}`` and ``e{number}``, both at
        revision 2.
        """
        contact = replace(ADA, contact_id=f"contact-{number}", email=f"person{number}@example.com")
        self.ledger.directory.save_contact(self.site.id, contact)
        key = replace(self.ground.key, contact_id=contact.contact_id)
        inbox_id = self.ground.stored(number, remote_id=f"w{number}")
        run = self.ledger.links.attach(inbox_id, key).run
        records = {
            Slot(W, "overall"): Known(f"w{number}", 2),
            Slot(E): Known(f"e{number}", 2, raw={"score": "4"}),
        }
        bases = {"overall": Base(Decimal(80), Decimal(4))}
        closings = {inbox_id: Closing(InboxState.DONE)}
        self.ledger.links.commit(
            run.lease, Commit(records=records, bases=bases, closings=closings, release=True)
        )
        return key

    def show(self, sweep: Sweep, side: Side, *numbers: int) -> None:
        self.runs.save(
            sweep, [Listed(side, f"{side[0]}{number}", Mark.IN_STEP) for number in numbers]
        )


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def field(request: pytest.FixtureRequest) -> Iterator[Field]:
    now = [1_000_000.0]

    def jump(seconds: float) -> None:
        now[0] += seconds

    if request.param == "memory":
        ledger: Any = MemoryLedger(lambda: now[0])
        ground = Ground(ledger, jump).set_up()
        yield Field(ground, MemoryRuns(ledger), ledger.site_rows[ground.site_id])
        return
    engine = open_engine(
        request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"),
        clock=lambda: now[0],
    )
    upgrade(engine)
    ledger = ObservedLedger(engine, makes_tables=False)
    ground = Ground(ledger, jump if request.param == "sqlite" else None).set_up()
    with ledger._transactions.read() as connection:
        site = ledger._site_by_id(connection, ground.site_id)
    yield Field(ground, ledger, site)
    engine.dispose()


def jumping(field: Field) -> Callable[[float], None]:
    if field.ground.wait is None:
        pytest.skip("the clock of PostgreSQL does not jump; the same statements run on SQLite")
    return field.ground.wait


def a_record(side: Side, number: int = 1, revision: int | None = 3) -> Record:
    name, value = ("overall", Decimal(80)) if side is W else ("value", Decimal("4.5"))
    return Record(
        f"{side[0]}{number}",
        {name: value},
        revision,
        entity=WIX if side is W else EXTERNAL,
        raw={"x": 1},
    )


def an_open_row(field: Field, side: Side, number: int = 1, **changes: Any) -> Listed:
    row = Listed(
        side, f"{side[0]}{number}", Mark.OPEN, field.ground.key, record=a_record(side, number)
    )
    return replace(row, **changes)


def as_delivery(row: Listed, told: str = "2") -> NewDelivery:
    source = "instance-1" if row.side is W else "own-service"
    return NewDelivery(
        row.side, source, f"listed:{row.remote_id}:{told}", row.change, row.remote_id, {}
    )


# -- the run


def test_run_has_one_holder_at_a_time(field: Field) -> None:
    field.begin()
    assert field.runs.begin(field.site.id, RunKind.SWEEP) is None


def test_released_run_goes_on_with_its_cursor_and_counts(field: Field) -> None:
    sweep = replace(field.begin(), phase=Phase.WIX, page="page-7", counts={"listed_wix": 300})
    field.runs.save(sweep)
    field.runs.release_run(sweep)
    again = field.begin()
    assert (again.id, again.phase, again.page, again.counts) == (
        sweep.id,
        Phase.WIX,
        "page-7",
        {"listed_wix": 300},
    )
    assert again.is_resumed


def test_killed_run_is_taken_over_when_its_lease_ends_and_the_old_holder_is_refused(
    field: Field,
) -> None:
    wait, old = jumping(field), field.begin()
    wait(21.0)
    new = field.begin()
    assert new.id == old.id
    with pytest.raises(LeaseLost):
        field.runs.save(old)
    with pytest.raises(LeaseLost):
        field.runs.end(old)
    field.runs.save(new)


def test_renewed_run_stays_with_its_holder(field: Field) -> None:
    wait, sweep = jumping(field), field.begin()
    wait(15.0)
    field.runs.renew_run(sweep)
    wait(15.0)
    assert field.runs.begin(field.site.id, RunKind.SWEEP) is None


def test_first_complete_run_is_the_baseline_and_a_dry_run_is_not(field: Field) -> None:
    field.runs.end(field.begin(RunKind.DRY_RUN))
    first = field.begin()
    field.runs.end(first)
    assert (first.kind, field.begin().kind) == (RunKind.BASELINE, RunKind.SWEEP)


def test_interrupted_run_of_yesterday_is_given_up(field: Field) -> None:
    wait, old = jumping(field), field.begin()
    wait(25 * 3600.0)
    assert field.begin().id != old.id


# -- polls

NEWEST = datetime(1970, 1, 5, tzinfo=UTC)


def a_done_poll(field: Field, newest: datetime | None) -> Sweep:
    poll = replace(field.begin(RunKind.POLL), newest=newest)
    field.runs.save(poll)
    field.runs.end(poll)
    return poll


def test_poll_begins_at_the_newest_time_that_the_last_one_saw(field: Field) -> None:
    assert a_done_poll(field, NEWEST).since is None
    assert a_done_poll(field, None).since == NEWEST
    assert field.begin(RunKind.POLL).since == NEWEST


def test_poll_that_was_not_done_leaves_the_next_one_where_it_began(field: Field) -> None:
    a_done_poll(field, NEWEST)
    poll = replace(field.begin(RunKind.POLL), newest=NEWEST + timedelta(days=1))
    field.runs.save(poll)
    field.runs.end(poll, "abandoned")
    assert field.begin(RunKind.POLL).since == NEWEST


def test_released_poll_goes_on_with_its_times(field: Field) -> None:
    a_done_poll(field, NEWEST)
    poll = replace(field.begin(RunKind.POLL), page="page-2", newest=NEWEST + timedelta(hours=1))
    field.runs.save(poll)
    field.runs.release_run(poll)
    again = field.begin(RunKind.POLL)
    assert (again.id, again.page, again.since, again.newest) == (
        poll.id,
        "page-2",
        NEWEST,
        poll.newest,
    )


def test_no_poll_begins_beside_another_run(field: Field) -> None:
    sweep = field.begin()
    assert field.runs.begin(field.site.id, RunKind.POLL) is None
    field.runs.release_run(sweep)
    assert field.runs.begin(field.site.id, RunKind.POLL) is None


@pytest.mark.parametrize("kind", [RunKind.SWEEP, RunKind.DRY_RUN])
def test_poll_under_way_gives_way_to_any_other_run(field: Field, kind: RunKind) -> None:
    poll = field.begin(RunKind.POLL)
    assert field.begin(kind).id != poll.id
    with pytest.raises(LeaseLost):
        field.runs.save(poll)


def test_poll_is_no_baseline(field: Field) -> None:
    field.runs.end(field.begin(RunKind.POLL))
    assert field.begin().kind is RunKind.BASELINE


# -- a page against the ledger


@pytest.mark.parametrize("side", list(Side))
def test_page_is_compared_with_what_both_sides_last_agreed_on(field: Field, side: Side) -> None:
    field.link(1)
    known = field.runs.on_file(field.site, side, [f"{side[0]}1", "unknown"])
    value = Decimal(80) if side is W else Decimal(4)
    assert known == {f"{side[0]}1": OnFile(is_linked=True, revision=2, values={"overall": value})}


def test_buried_record_is_known_with_its_revision(field: Field) -> None:
    field.ledger.directory.bury(field.site.id, Buried(E, "e9", 5))
    assert field.runs.on_file(field.site, E, ["e9"]) == {"e9": OnFile(is_buried=True, revision=5)}


def test_record_that_a_held_delivery_speaks_of_is_known_as_held(field: Field) -> None:
    field.ledger.inbox.hold([field.ground.stored(1, remote_id="w9")], "no_email")
    assert field.runs.on_file(field.site, W, ["w9"]) == {"w9": OnFile(is_held=True)}


def test_record_that_a_delivery_on_its_way_speaks_of_is_known_as_awaited(field: Field) -> None:
    number = field.ground.stored(1, remote_id="w9")
    assert field.runs.on_file(field.site, W, ["w9"]) == {"w9": OnFile(is_awaited=True)}
    field.ledger.inbox.close(number, Closing(InboxState.DONE, "in_step"))
    assert field.runs.on_file(field.site, W, ["w9"]) == {}


def test_records_behind_the_synced_one_are_known(field: Field) -> None:
    key = field.link(1)
    run = field.ledger.links.lease(field.ledger.links.link_of(key))
    field.ledger.links.commit(run.lease, Commit(shadowed={"e8", "e9"}, release=True))
    known = field.runs.on_file(field.site, E, ["e8", "e9", "e7"])
    assert known == {"e8": OnFile(is_shadowed=True), "e9": OnFile(is_shadowed=True)}
    assert field.runs.on_file(field.site, W, ["e8"]) == {}


def test_run_knows_which_records_its_listing_showed(field: Field) -> None:
    sweep = field.begin()
    field.show(sweep, W, 1)
    field.runs.save(sweep, [an_open_row(field, W, 2, change="delete", record=None)])
    assert [field.runs.is_shown(sweep, side, f"{side[0]}1") for side in (W, E)] == [True, False]
    assert not field.runs.is_shown(sweep, W, "w2")


# -- absence


def test_record_is_due_only_when_two_complete_listings_did_not_show_it(field: Field) -> None:
    for number in (1, 2, 3):
        field.link(number)
    first = field.begin()
    field.show(first, W, 1, 2)
    assert (found := field.runs.note_absences(first, W)).missing == 1
    assert found.due == 0
    field.runs.end(first)
    second = field.begin()
    field.show(second, W, 1, 2)
    assert field.runs.note_absences(second, W).due == 1
    assert [row.remote_id for row in field.runs.next_missing(second, 10)] == ["w3"]


def test_record_that_is_listed_again_begins_anew(field: Field) -> None:
    for number in (1, 2, 3):
        field.link(number)
    for shown in ((1, 2), (1, 2, 3), (1, 2)):
        sweep = field.begin()
        field.show(sweep, E, *shown)
        found = field.runs.note_absences(sweep, E)
        field.runs.end(sweep)
    assert (found.missing, found.due) == (1, 0)


def test_listing_of_under_half_of_what_is_known_makes_nothing_missing(field: Field) -> None:
    for number in (1, 2, 3):
        field.link(number)
    for _ in range(3):
        sweep = field.begin()
        field.show(sweep, W, 1)
        found = field.runs.note_absences(sweep, W)
        field.runs.end(sweep)
    assert found.is_refused
    assert found.due == 0


def test_dry_run_notes_no_absence(field: Field) -> None:
    for number in (1, 2, 3):
        field.link(number)
    for _ in range(2):
        sweep = field.begin(RunKind.DRY_RUN)
        field.show(sweep, W, 1, 2)
        found = field.runs.note_absences(sweep, W)
        field.runs.end(sweep)
    assert (found.missing, found.due) == (1, 0)


def missing_rows(field: Field, count: int) -> Sweep:
    sweep = field.begin()
    field.runs.save(
        sweep,
        [
            an_open_row(field, W, number, change="delete", record=None)
            for number in range(1, count + 1)
        ],
    )
    return sweep


def test_twenty_deletes_pass_the_brake(field: Field) -> None:
    assert field.runs.brake(missing_rows(field, 20), W) == 0


def test_twenty_one_deletes_are_all_held(field: Field) -> None:
    sweep = missing_rows(field, 21)
    assert field.runs.brake(sweep, W) == 21
    assert {
        row.hold for finding in field.runs.next_findings(sweep, 50) for row in finding.rows
    } == {"delete_brake"}


def test_mass_delete_that_a_person_allowed_passes_the_brake(field: Field) -> None:
    field.runs.allow_deletes(field.site.id, 21)
    assert field.runs.brake(missing_rows(field, 21), W) == 0
    assert not field.ledger.links.deletes_exceeded(field.site.id, W, 20)
    assert field.ledger.links.deletes_exceeded(field.site.id, W, 21)


# -- findings


def test_findings_come_by_key_with_their_hidden_rows_and_those_without_a_key_first(
    field: Field,
) -> None:
    sweep = field.begin()
    hidden = an_open_row(field, E, mark=Mark.HIDDEN)
    nobody = an_open_row(field, E, 7, key=None)
    alone = an_open_row(
        field, E, 8, mark=Mark.HIDDEN, key=replace(field.ground.key, contact_id="someone")
    )
    field.runs.save(sweep, [an_open_row(field, W), hidden, nobody, alone])
    found = field.runs.next_findings(sweep, 10)
    assert [(one.key, [row.remote_id for row in one.rows]) for one in found] == [
        (None, ["e7"]),
        (field.ground.key, ["e1", "w1"]),
    ]
    assert found[1].rows[1].record == a_record(W)


def test_findings_can_be_read_on_from_a_place(field: Field) -> None:
    from sync_worker.core.sweep_values import place_of

    sweep = field.begin()
    keys = [replace(field.ground.key, contact_id=f"contact-{number}") for number in range(4)]
    field.runs.save(
        sweep, [an_open_row(field, W, number, key=key) for number, key in enumerate(keys)]
    )
    field.runs.save(sweep, [an_open_row(field, E, number, key=None) for number in (5, 6)])
    seen: list[Finding] = []
    after = None
    while found := field.runs.next_findings(sweep, 1, after):
        seen += found
        after = place_of(found[-1])
    assert [one.key for one in seen] == [None, None, *keys]


def test_queued_finding_is_a_delivery_of_its_link_and_is_not_found_again(field: Field) -> None:
    sweep, row = field.begin(), an_open_row(field, W, must_read=True)
    field.runs.save(sweep, [row])
    (queued,) = field.runs.queue(sweep, [(Finding(field.ground.key, (row,)), [as_delivery(row)])])
    run = field.ledger.links.lease(queued.link_id)
    assert [(one.id, one.must_read) for one in run.deliveries] == [(queued.inbox_ids[0], True)]
    assert field.runs.next_findings(sweep, 10) == []
    assert field.ledger.inbox.due(10) == []


def test_finding_of_a_contact_that_was_erased_since_makes_no_link(field: Field) -> None:
    """The delivery finds that out as any other does; a link would keep the contact's id for
    ever.
    """
    sweep, row = field.begin(), an_open_row(field, W)
    field.runs.save(sweep, [row])
    field.ledger.merges.hint_erasure(field.site.id, field.ground.key.contact_id, 99)
    (queued,) = field.runs.queue(sweep, [(Finding(field.ground.key, (row,)), [as_delivery(row)])])
    assert (queued.link_id, len(queued.inbox_ids)) == (None, 1)
    assert field.ledger.merges.links_of(field.site.id, field.ground.key.contact_id) == []


def erase_link(field: Field, key: RatingKey, number: int) -> None:
    """A privacy request has removed the rating from both sides."""
    run = field.ledger.links.lease(field.ledger.links.link_of(key))
    graves = [Buried(W, f"w{number}", 3), Buried(E, f"e{number}", 3)]
    closings = {one.id: Closing(InboxState.DONE, "synced") for one in run.deliveries}
    records = dict.fromkeys((Slot(W, "overall"), Slot(E)))
    change = Commit(records=records, buried=graves, closings=closings, release=True, erases=True)
    field.ledger.links.commit(run.lease, change)


def test_erased_rating_is_forgotten_by_the_sweep_that_has_listed_it(field: Field) -> None:
    key, other = field.link(1), field.link(2)
    sweep = field.begin()
    mine, nobody = an_open_row(field, W, 1, key=key), an_open_row(field, E, 1, key=None)
    rows = [mine, nobody, an_open_row(field, W, 2, key=other)]
    field.runs.save(sweep, rows)
    told = replace(as_delivery(mine), payload={"listed": {"person": "somebody"}})
    (queued,) = field.runs.queue(sweep, [(Finding(key, (mine,)), [told])])
    erase_link(field, key, 1)
    assert [row.remote_id for one in field.runs.next_findings(sweep, 10) for row in one.rows] == [
        "w2"
    ]
    assert not field.runs.is_shown(sweep, W, "w1")
    left = field.ledger.everything()
    assert "somebody" not in left
    assert queued.inbox_ids
    field.runs.end(sweep)


def test_erased_person_is_in_no_listing_of_a_sweep_under_way(field: Field) -> None:
    sweep = field.begin()
    theirs = replace(
        a_record(E, 1),
        person=Person(email="Gone@Example.com", name="G"),
        raw={"mail": "gone@example.com"},
    )
    ours = replace(a_record(E, 2), person=Person(email=ADA.email))
    field.runs.save(
        sweep,
        [an_open_row(field, E, 1, key=None, record=theirs), an_open_row(field, E, 2, record=ours)],
    )
    field.ledger.directory.save_contact(field.site.id, Contact("contact-gone", "gone@example.com"))
    field.ledger.merges.erase_contact(
        field.site.id, "contact-gone", field.ground.stored(9, remote_id="contact-gone")
    )
    assert [row.remote_id for one in field.runs.next_findings(sweep, 10) for row in one.rows] == [
        "e2"
    ]


def test_page_that_was_on_its_way_while_a_person_was_erased_brings_nothing_back(
    field: Field,
) -> None:
    """By the contact, by the address where no key is known yet, and by the rating's id."""
    sweep = field.begin()
    key = field.link(1)
    erase_link(field, key, 1)
    field.ledger.directory.save_contact(field.site.id, Contact("contact-gone", "gone@example.com"))
    asked = field.ground.stored(9, remote_id="contact-gone", change="contact_deleted", privacy=True)
    field.ledger.merges.hint_erasure(field.site.id, "contact-gone", asked)
    field.ledger.merges.erase_contact(field.site.id, "contact-gone", asked)
    gone = replace(key, contact_id="contact-gone")
    mail = Person(email="Gone@Example.com")
    page = [
        an_open_row(field, W, 1),
        an_open_row(field, W, 2, key=gone),
        an_open_row(
            field,
            W,
            3,
            key=None,
            record=replace(a_record(W, 3), person=Person(contact_id="contact-gone")),
        ),
        an_open_row(
            field,
            E,
            4,
            key=None,
            record=replace(a_record(E, 4), person=mail, raw={"mail": mail.email}),
        ),
        an_open_row(
            field, E, 5, key=None, record=replace(a_record(E, 5), person=Person(email=ADA.email))
        ),
    ]
    field.runs.save(sweep, page)
    rows = [row for one in field.runs.next_findings(sweep, 10) for row in one.rows]
    assert [(row.remote_id, row.record is None, row.must_read) for row in rows] == [
        ("e4", True, True),  # the address may be a new contact's: it is read again
        ("e5", False, page[4].must_read),
    ]
    assert "gone@example.com" not in field.ledger.everything().lower()


def test_record_is_kept_once_when_it_has_been_handed_over(field: Field) -> None:
    """In the inbox, where a privacy request finds it; the listing only knows that it is done."""
    sweep, row = field.begin(), an_open_row(field, W)
    field.runs.save(sweep, [row])
    field.runs.queue(sweep, [(Finding(field.ground.key, (row,)), [as_delivery(row)])])
    assert field.runs.count_marks(sweep) == {Mark.DONE: 1}
    field.runs.settle_missing(sweep, [row], [])
    assert [one.rows[0].record for one in field.runs.next_findings(sweep, 10)] == [None]


def test_same_news_is_queued_once_and_opened_again_if_it_had_ended(field: Field) -> None:
    sweep, row = field.begin(), an_open_row(field, W)
    finding = (Finding(field.ground.key, (row,)), [as_delivery(row)])
    field.runs.save(sweep, [row])
    (first,) = field.runs.queue(sweep, [finding])
    field.ledger.inbox.close(first.inbox_ids[0], Closing(InboxState.DONE))
    (again,) = field.runs.queue(sweep, [finding])
    assert again.inbox_ids == first.inbox_ids
    opened, _ = field.ledger.inbox.open_delivery(first.inbox_ids[0])
    assert opened.must_read


def test_news_that_waits_for_a_person_goes_on_waiting(field: Field) -> None:
    sweep, row = field.begin(), an_open_row(field, W)
    finding = (Finding(field.ground.key, (row,)), [as_delivery(row)])
    field.runs.save(sweep, [row])
    (first,) = field.runs.queue(sweep, [finding])
    field.ledger.inbox.hold(first.inbox_ids, "off_scale")
    (again,) = field.runs.queue(sweep, [finding])
    assert (again.held, again.inbox_ids) == ("off_scale", ())


def test_delivery_held_without_a_key_gets_it_when_a_sweep_knows_it(field: Field) -> None:
    held = field.ground.stored(1, remote_id="w1")
    field.ledger.inbox.hold([held], "no_email")
    sweep, row = field.begin(), an_open_row(field, W)
    field.runs.save(sweep, [row])
    (queued,) = field.runs.queue(sweep, [(Finding(field.ground.key, (row,)), [as_delivery(row)])])
    deliveries = field.ledger.links.lease(queued.link_id).deliveries
    assert {one.id for one in deliveries} == {held, *queued.inbox_ids}


def test_braked_finding_is_held_at_once(field: Field) -> None:
    sweep, row = (
        field.begin(),
        an_open_row(field, W, hold="delete_brake", change="delete", record=None),
    )
    field.runs.save(sweep, [row])
    (queued,) = field.runs.queue(sweep, [(Finding(field.ground.key, (row,)), [as_delivery(row)])])
    assert queued.held == "delete_brake"
    assert field.ledger.inbox.due(10) == []


def test_peek_shows_what_a_lease_would_give_and_takes_nothing(field: Field) -> None:
    key = field.link(1)
    peeked = field.runs.peek(key)
    assert set(peeked.link.records) == {Slot(W, "overall"), Slot(E)}
    leased = field.ledger.links.lease(peeked.link.id)
    assert leased is not None
    assert (leased.link, leased.contact, leased.entity) == (
        peeked.link,
        peeked.contact,
        peeked.entity,
    )


def test_peek_at_a_key_without_a_link_makes_none(field: Field) -> None:
    peeked = field.runs.peek(field.ground.key)
    assert (peeked.link.records, peeked.contact.email) == ({}, ADA.email)
    assert field.runs.peek(field.ground.key).link.id == 0
