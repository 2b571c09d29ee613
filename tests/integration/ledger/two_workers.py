"""Two workers with the same deliveries in hand: where they begin, and what each may do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from sync_worker.core.errors import SyncError
from sync_worker.core.hold_keys import email_hold_key
from sync_worker.core.ports.inbox import ERASED, GATHERED, Closing
from sync_worker.core.ports.links import Commit, LeasedLink
from sync_worker.core.sweep_values import Finding, Listed, Mark, RunKind
from sync_worker.core.values import (
    Change,
    Contact,
    Delivery,
    InboxState,
    Known,
    LinkState,
    RatingKey,
    Side,
    SiteSide,
)
from sync_worker.ledger.administration.held import HeldAdmin
from sync_worker.ledger.console.held_filter import HeldFilter
from sync_worker.ledger.tables import (
    inbox,
    link,
)
from tests.factories import a_delivery, an_intent
from tests.integration.ledger.ground import ADA, EXTERNAL_SLOT, WIX_SLOT, as_delivery

RECORD = "rating-1"
EVE = Contact("contact-eve", "eve@example.com")
WAITS_FOR_EVE = email_hold_key("eve@example.com")
DONE = Closing(InboxState.DONE, "synced")


@dataclass
class Hands:
    """What both workers have: the ids of the record's deliveries, as they were when opened.

    ``run``: of a lease that one of them took before.
    """

    ledger: Any
    site_id: int
    key: RatingKey
    ids: list[int] = field(default_factory=list)
    opened: dict[int, Delivery] = field(default_factory=dict)
    run: LeasedLink | None = None

    def with_ledger(self, ledger: Any) -> Hands:
        """The same, in another process."""
        return replace(self, ledger=ledger)

    @property
    def newest(self) -> int:
        return self.ids[-1]

    def delivery(self, place: int = -1) -> Delivery:
        inbox_id = self.ids[place]
        stored = Delivery(inbox_id, a_delivery(place % len(self.ids) + 1))
        return self.opened.get(inbox_id, stored)

    def store(self, number: int, **changes: Any) -> int:
        inbox_id = int(self.ledger.inbox.store(a_delivery(number, **changes)).inbox_id)
        if inbox_id not in self.ids:
            self.ids.append(inbox_id)
        return inbox_id

    def look(self) -> None:
        """Both open all that is open."""
        for inbox_id in self.ids:
            found = self.ledger.inbox.open_delivery(inbox_id)
            if found is not None:
                self.opened[inbox_id] = found[0]


# -- where they begin


def two_edits(hands: Hands) -> None:
    hands.store(1)
    hands.store(2)


def a_crowd(hands: Hands) -> None:
    for number in range(1, 8):
        hands.store(number)


def older_is_held(hands: Hands) -> None:
    two_edits(hands)
    hands.ledger.inbox.hold(hands.ids[:1], "unknown_contact", hold_key=WAITS_FOR_EVE)


def newer_is_held(hands: Hands) -> None:
    two_edits(hands)
    hands.look()
    hands.ledger.inbox.hold(hands.ids[1:], "unknown_contact", hold_key=WAITS_FOR_EVE)
    hands.ids.reverse()


def is_gathered(hands: Hands) -> None:
    """The older one has ended with the newer one, which is held."""
    two_edits(hands)
    hands.look()
    hands.ledger.inbox.hold(hands.ids, "unknown_contact", hold_key=WAITS_FOR_EVE)
    hands.ids.reverse()


def thin_twins(hands: Hands) -> None:
    """A run has one of a sender without ids, and another has come."""
    first = hands.store(1, dedupe_id=None)
    hands.run = hands.ledger.links.attach(first, hands.key).run
    hands.store(1, dedupe_id=None)


def in_a_run(hands: Hands) -> None:
    """A run has the older one; the newer one has come to its link since."""
    hands.run = hands.ledger.links.attach(hands.store(1), hands.key).run
    hands.ledger.links.attach(hands.store(2), hands.key)


def held_with_link(hands: Hands) -> None:
    """One waits for a look, one for a person; a third one is news."""
    run = hands.ledger.links.attach(hands.store(1), hands.key).run
    ends = {hands.ids[0]: Closing(InboxState.HELD, "refused")}
    hands.ledger.links.commit(run.lease, Commit(closings=ends, release=True))
    run = hands.ledger.links.attach(hands.store(2), hands.key).run
    ends = {hands.ids[1]: Closing(InboxState.HELD, "fight")}
    held = Commit(closings=ends, link_state=LinkState.HELD, release=True)
    hands.ledger.links.commit(run.lease, held)
    hands.store(3)


def looked_at_again(hands: Hands) -> None:
    """A run has taken up what was held for a contact."""
    hands.store(1)
    hands.ledger.inbox.hold(hands.ids, "no_email", hold_key="contact:contact-ada")
    hands.store(2)
    hands.look()
    hands.run = hands.ledger.links.attach(hands.newest, hands.key, with_held=True).run


def a_delete_beside(hands: Hands) -> None:
    hands.store(1)
    hands.ledger.inbox.hold(hands.ids, "unknown_contact", hold_key=WAITS_FOR_EVE)
    hands.store(2, change=Change.DELETE)


def has_ended(hands: Hands) -> None:
    """Another worker was quicker by far."""
    two_edits(hands)
    hands.look()
    run = hands.ledger.links.attach(hands.ids[0], hands.key).run
    hands.ledger.links.attach(hands.ids[1], hands.key)
    closings = dict.fromkeys(hands.ids, DONE)
    hands.ledger.links.commit(run.lease, Commit(closings=closings, release=True))


BEGINNINGS: Mapping[str, Callable[[Hands], None]] = {
    one.__name__: one
    for one in (
        two_edits,
        a_crowd,
        older_is_held,
        newer_is_held,
        is_gathered,
        thin_twins,
        in_a_run,
        held_with_link,
        looked_at_again,
        a_delete_beside,
        has_ended,
    )
}


# -- what one of them does next

Step = Callable[[Hands], Any]


def _commit(closing: Closing, **changes: Any) -> Step:
    def step(hands: Hands) -> Any:
        if hands.run is None:
            return None
        ends = {one.id: closing for one in hands.run.deliveries if not one.stands_by}
        return hands.ledger.links.commit(
            hands.run.lease, Commit(closings=ends, release=True, **changes)
        )

    return step


def _of_run(step: Callable[[Hands, LeasedLink], Any]) -> Step:
    return lambda hands: None if hands.run is None else step(hands, hands.run)


def _hold(reason: str, hold_key: str | None = None, *, all_of_them: bool = False) -> Step:
    def step(hands: Hands) -> None:
        ids = sorted(hands.ids) if all_of_them else [hands.newest]
        hands.ledger.inbox.hold(ids, reason, hold_key=hold_key)

    return step


def _defer(delay: float | None, *, is_failure: bool) -> Step:
    return lambda hands: hands.ledger.inbox.defer(
        sorted(hands.ids), delay, "the remote is down", is_failure=is_failure
    )


def _queue(key: bool) -> Step:
    def step(hands: Hands) -> Any:
        sweep = hands.ledger.sweeps.begin(hands.site_id, RunKind.SWEEP)
        if sweep is None:
            return None
        row = Listed(Side.WIX, RECORD, Mark.OPEN, hands.key if key else None)
        finding = Finding(row.key, (row,))
        told = replace(as_delivery(row), payload={"listed": 1})
        return hands.ledger.sweeps.queue(sweep, [(finding, [told])])

    return step


def _open_intent(hands: Hands, run: LeasedLink) -> None:
    # A run settles the open one before it opens another.
    if not hands.ledger.open_intents():
        hands.ledger.links.open_intent(run.lease, an_intent())


STEPS: Mapping[str, Step] = {
    "open": lambda hands: hands.ledger.inbox.open_delivery(hands.newest),
    "store again": lambda hands: hands.store(2),
    "store a newer one": lambda hands: hands.store(9),
    "store a thin one": lambda hands: hands.store(1, dedupe_id=None),
    "gather": lambda hands: hands.ledger.inbox.gather(hands.delivery()),
    "hold": _hold("unknown_contact", WAITS_FOR_EVE),
    "hold all": _hold("unknown_contact", WAITS_FOR_EVE, all_of_them=True),
    "hold for another cause": _hold("no_email"),
    "hold refused": _hold("refused"),
    "hold all for a person": _hold("too_costly", all_of_them=True),
    "put back": lambda hands: hands.ledger.inbox.put_back(sorted(hands.ids)),
    "defer": _defer(None, is_failure=True),
    "wait": _defer(30.0, is_failure=False),
    "close": lambda hands: hands.ledger.inbox.close(hands.newest, DONE),
    "close erased": lambda hands: hands.ledger.inbox.close(hands.newest, ERASED),
    "wait for slot": lambda hands: hands.ledger.inbox.wait_for_slot(hands.newest, 1.0),
    "begin look": lambda hands: hands.ledger.inbox.begin_look(hands.delivery()),
    "end look": lambda hands: hands.ledger.inbox.end_look(hands.delivery()),
    "release key": lambda hands: hands.ledger.inbox.release_held(
        hands.site_id, hold_key=WAITS_FOR_EVE
    ),
    "release by id": lambda hands: hands.ledger.inbox.release_held(
        hands.site_id, inbox_ids=[hands.newest]
    ),
    "release beside": lambda hands: hands.ledger.inbox.release_beside(hands.delivery()),
    "attach": lambda hands: hands.ledger.links.attach(hands.newest, hands.key),
    "attach with held": lambda hands: hands.ledger.links.attach(
        hands.newest, hands.key, with_held=True
    ),
    "lease": lambda hands: hands.ledger.links.lease(hands.ledger.links.link_of(hands.key)),
    "renew": _of_run(lambda hands, run: hands.ledger.links.renew(run.lease)),
    "let go": _of_run(lambda hands, run: hands.ledger.links.release(run.lease)),
    "open intent": _of_run(_open_intent),
    "commit done": _commit(
        DONE, records={WIX_SLOT: Known(RECORD, 2), EXTERNAL_SLOT: Known("e1", 1)}
    ),
    "commit held": _commit(Closing(InboxState.HELD, "moderated")),
    "commit buried": _commit(DONE, link_state=LinkState.BURIED),
    "queue with key": _queue(True),
    "queue without key": _queue(False),
    "contact known": lambda hands: hands.ledger.directory.save_contact(hands.site_id, EVE),
    "account refused": lambda hands: hands.ledger.site_sides.fail(
        SiteSide(hands.site_id, Side.WIX), [hands.newest], "unauthorized"
    ),
    "account works": lambda hands: hands.ledger.site_sides.recover(
        SiteSide(hands.site_id, Side.WIX)
    ),
    "erasure begins": lambda hands: hands.ledger.merges.hint_erasure(
        hands.site_id, ADA.contact_id, hands.newest
    ),
}

# Of an entry point, which the twin has not.
BY_PEOPLE: Mapping[str, Step] = {
    "person releases": lambda hands: HeldAdmin(hands.ledger.transactions).release(
        HeldFilter(inbox_ids=sorted(hands.ids)), "ann"
    ),
    "person drops": lambda hands: HeldAdmin(hands.ledger.transactions).drop(
        HeldFilter(inbox_ids=sorted(hands.ids)), "spam", "ann"
    ),
    "person replays": lambda hands: HeldAdmin(hands.ledger.transactions).replay(
        sorted(hands.ids), "ann"
    ),
}


def take(step: Step, hands: Hands) -> str:
    """Do it; how it failed, if it did, as the port says that it may."""
    try:
        step(hands)
    except SyncError as error:
        return type(error).__name__
    return ""


# -- what stands afterwards


@dataclass(frozen=True)
class Row:
    """A row of the inbox, without its times."""

    id: int
    state: str
    reason: str
    hold_key: str | None
    must_read: bool
    attempts: int
    crashes: int
    link: str | None  # the state of its link
    is_empty: bool
    is_closed: bool


def rows_in_sql(ledger: Any) -> list[Row]:
    columns = (inbox, link.c.state.label("link_state"))
    rows = select(*columns).outerjoin(link, link.c.id == inbox.c.link_id).order_by(inbox.c.id)
    with ledger.transactions.read() as connection:
        found = connection.execute(rows).all()
    return [
        Row(
            row.id,
            row.state,
            row.reason,
            row.hold_key,
            row.must_read,
            row.attempts,
            row.unended,
            row.link_state,
            not row.payload,
            row.closed_at is not None,
        )
        for row in found
    ]


OPEN = ("new", "taken")


def broken(rows: list[Row]) -> list[str]:
    """What must never be, whoever did what: nobody's words stand nowhere."""
    by_id = {row.id: row for row in rows}
    wrong = []
    for row in rows:
        seen, last = {row.id}, row
        while last.state == "superseded" and last.reason.startswith(GATHERED):
            last = by_id[int(last.reason.removeprefix(GATHERED))]
            if last.id in seen:
                wrong.append(f"{row.id} has ended with itself")
                break
            seen.add(last.id)
        if row.state in OPEN and row.is_closed:
            wrong.append(f"{row.id} is open, and counts as closed: it will be pruned")
        if row.state not in OPEN and not row.is_closed:
            wrong.append(f"{row.id} has ended, and no retention finds it")
        if row.state == "new" and row.is_empty and not row.must_read:
            wrong.append(f"{row.id} is open without its content")
    return wrong


def rows_in_memory(ledger: Any) -> list[Row]:
    return [
        Row(
            inbox_id,
            str(row.delivery.state),
            row.delivery.reason,
            row.hold_key,
            row.delivery.must_read,
            row.delivery.attempts,
            row.delivery.suspected_crashes,
            _state_of_link(ledger, row.delivery.link_id),
            not row.delivery.new.payload,
            not row.is_open,
        )
        for inbox_id, row in sorted(ledger.rows.items())
    ]


def _state_of_link(ledger: Any, link_id: int | None) -> str | None:
    return None if link_id is None else str(ledger.state.link_rows[link_id].link.state)
