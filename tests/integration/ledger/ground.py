"""The ground that the conformance tests stand on: a ledger with one site, entity and person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit, LeasedLink
from sync_worker.core.sweep_values import Finding, Listed, Mark, RunKind, Sweep
from sync_worker.core.values import (
    Base,
    Buried,
    Contact,
    HistoryEntry,
    HistoryKind,
    InboxState,
    Known,
    LinkState,
    Merge,
    NewDelivery,
    RatingKey,
    Side,
    SiteState,
    Slot,
)
from tests.factories import EXTERNAL_ENTITY, WIX_ENTITY, a_delivery, a_record
from tests.simulation.world import OVERALL

ADA = Contact("contact-ada", "ada@example.com")
BOB = Contact("contact-bob", "bob@example.com")
WIX_SLOT, EXTERNAL_SLOT = Slot(Side.WIX, "overall"), Slot(Side.EXTERNAL)


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
        entity = self.ledger.directory.add_entity(site.id, WIX_ENTITY, EXTERNAL_ENTITY)
        self.ledger.directory.save_contact(site.id, ADA)
        self.site_id, self.key = site.id, RatingKey(site.id, entity.id, ADA.contact_id)
        return self

    @property
    def jump(self) -> Callable[[float], None]:
        """Lets the clock go on by so many seconds; skips the test where it cannot."""
        if self.wait is None:
            pytest.skip("the clock of PostgreSQL does not jump; the same statements run on SQLite")
        return self.wait

    def key_of(self, contact: Contact) -> RatingKey:
        return replace(self.key, contact_id=contact.contact_id)

    def stored(self, number: int = 1, **changes: Any) -> int:
        return int(self.ledger.inbox.store(a_delivery(number, **changes)).inbox_id)

    def leased(self, number: int = 1) -> Any:
        return self.ledger.links.attach(self.stored(number), self.key).run

    def link(self, contact: Contact, number: int, *, records: bool = True) -> LeasedLink:
        """A leased link of a contact, with a record on each side."""
        self.ledger.directory.save_contact(self.site_id, contact)
        run: LeasedLink = self.ledger.links.attach(self.stored(number), self.key_of(contact)).run
        if records:
            on_file = {
                WIX_SLOT: Known(f"w{number}", 1),
                EXTERNAL_SLOT: Known(
                    f"e{number}", 1, raw={"by": contact.email}, identity=contact.email
                ),
            }
            bases = {"overall": Base(Decimal(80), Decimal(4))}
            change = Commit(records=on_file, bases=bases, link_state=LinkState.LIVE)
            self.ledger.links.commit(run.lease, change)
        return run

    def merge(self, source: Contact, target: Contact) -> None:
        merge = Merge((source.contact_id,), target.contact_id)
        self.ledger.merges.redirect(self.site_id, merge)

    def erase(self, run: LeasedLink, number: int = 1) -> None:
        """The commit at the end of a run that has removed the rating from both sides."""
        closings = {delivery.id: Closing(InboxState.DONE, "synced") for delivery in run.deliveries}
        change = Commit(
            records=dict.fromkeys((WIX_SLOT, EXTERNAL_SLOT)),
            link_state=LinkState.BURIED,
            buried=[Buried(Side.WIX, f"w{number}", 1), Buried(Side.EXTERNAL, f"e{number}", 1)],
            closings=closings,
            release=True,
            erases=True,
        )
        self.ledger.links.commit(run.lease, change)


@dataclass
class SweepGround:
    """A ground with the port for sweeps at hand."""

    ground: Ground

    def __post_init__(self) -> None:
        self.ledger = self.ground.ledger
        self.sweeps = self.ledger.sweeps
        self.site = self.ledger.site(self.ground.site_id)

    def begin(self, kind: RunKind = RunKind.SWEEP) -> Sweep:
        sweep = self.sweeps.begin(self.site.id, kind)
        assert isinstance(sweep, Sweep)
        return sweep

    def link(self, number: int) -> RatingKey:
        """A link with a record on both sides, ``w{number}`` and ``e{number}``, at revision 2."""
        contact = Contact(f"contact-{number}", f"person{number}@example.com")
        self.ledger.directory.save_contact(self.site.id, contact)
        key = self.ground.key_of(contact)
        inbox_id = self.ground.stored(number, remote_id=f"w{number}")
        run = self.ledger.links.attach(inbox_id, key).run
        records = {
            WIX_SLOT: Known(f"w{number}", 2),
            EXTERNAL_SLOT: Known(f"e{number}", 2, raw={"score": "4"}),
        }
        bases = {"overall": Base(Decimal(80), Decimal(4))}
        closings = {inbox_id: Closing(InboxState.DONE)}
        change = Commit(records=records, bases=bases, closings=closings, release=True)
        self.ledger.links.commit(run.lease, change)
        return key

    def erase(self, key: RatingKey, number: int) -> None:
        """A privacy request has removed the rating from both sides."""
        self.ground.erase(self.ledger.links.lease(self.ledger.links.link_of(key)), number)

    def show(self, sweep: Sweep, side: Side, *numbers: int) -> None:
        rows = [Listed(side, f"{side[0]}{number}", Mark.IN_STEP) for number in numbers]
        self.sweeps.save(sweep, rows)

    def unseen(
        self, side: Side, shown: Sequence[int], kind: RunKind = RunKind.SWEEP
    ) -> tuple[int, list[tuple[str, Mark]]]:
        """A run that lists these: how many are missing, and what is to be looked for by id."""
        sweep = self.begin(kind)
        self.show(sweep, side, *shown)
        absences = self.sweeps.note_absences(sweep, side)
        due = [(row.remote_id, row.mark) for row in self.sweeps.next_missing(sweep, 10)]
        assert absences.due == len(due)
        self.sweeps.end(sweep)
        return absences.missing, due

    def come_back(self) -> None:
        """The app is installed again, some time after what was before."""
        if self.ground.wait is not None:
            self.ground.wait(1.0)
        self.ledger.sites.note_lifecycle(self.site.id, SiteState.ACTIVE, None)

    def note_history(self, number: int) -> None:
        """Something happens to a rating."""
        key = self.ground.key_of(Contact(f"contact-{number}", ""))
        run = self.ledger.links.lease(self.ledger.links.link_of(key))
        line = HistoryEntry(HistoryKind.UPDATE, Side.WIX, "overall", remote_id=f"w{number}")
        self.ledger.links.commit(run.lease, Commit(history=[line], release=True))

    def open_row(self, side: Side, number: int = 1, **changes: Any) -> Listed:
        record = a_record(side, number)
        row = Listed(side, record.remote_id, Mark.OPEN, self.ground.key, record=record)
        return replace(row, **changes)

    def delete_row(self, number: int) -> Listed:
        return self.open_row(Side.WIX, number, change="delete", record=None)

    def queue(self, sweep: Sweep, row: Listed) -> Any:
        """What becomes of the one open row of a key."""
        (queued,) = self.sweeps.queue(sweep, [(Finding(row.key, (row,)), [as_delivery(row)])])
        return queued


def as_delivery(row: Listed, told: str = "2") -> NewDelivery:
    source = "instance-1" if row.side is Side.WIX else "own-service"
    name = f"listed:{row.remote_id}:{told}"
    return NewDelivery(row.side, source, name, row.change, row.remote_id, {})
