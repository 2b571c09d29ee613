"""Ratings of a file into Wix, by the engine that serves webhooks: lease, intent, create, commit.

A row of a file counts only for a rating of which the ledger, Wix and the external system know
nothing: then it is created on Wix, and travels on as any rating of Wix does. What is there already,
or was deleted since, stays as it is; so a second import of the same file writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from sync_worker.core.errors import Held, LeaseLost, Permanent, RateLimited, SyncError
from sync_worker.core.plan import Write
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.ports.remote import Connection
from sync_worker.core.values import (
    Base,
    Contact,
    EntityRef,
    InboxState,
    LinkState,
    Operation,
    RatingKey,
    Record,
    Side,
    Site,
    Slot,
    Value,
)
from sync_worker.engine.engine import Engine
from sync_worker.engine.history_lines import IMPORTED
from sync_worker.engine.link_plan import SlotWrite, Told
from sync_worker.engine.link_run import LinkRun
from sync_worker.engine.next_step import must_look_first
from sync_worker.engine.record_view import Source
from sync_worker.engine.view import View
from sync_worker.import_export.refusals import Refused, as_refused
from sync_worker.import_export.words_of_rows import words_for
from sync_worker.intake.earlier_addresses import EarlierAddresses
from sync_worker.intake.entities import MappedEntities
from sync_worker.intake.raters import is_erased_address

BUSY_SECONDS = 0.3
FRESH_SECONDS = 30.0  # so long a look counts that was made before many were created together
What = Literal["created", "there", "deleted_since", "held"]


@dataclass(frozen=True, slots=True)
class RatingRow:
    """One person's rating of one thing.

    ``values``: in Wix's units, by attribute; ``side``: whose id ``entity`` is; ``words``: plain
    text, by name; ``written_at``: when, if the file tells;
    ``media``: addresses of pictures.
    """

    entity: EntityRef
    side: Side
    email: str
    name: str | None
    values: Mapping[str, Decimal]
    words: Mapping[str, str] = field(default_factory=dict)
    written_at: datetime | None = None
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of a row.

    ``differs``: Wix has another value; ``note``: what is still to be done, and why; ``writes``: of
    a dry run, in words.
    """

    what: What
    differs: bool = False
    note: str = ""
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeadStart:
    """A rating that was created on Wix together with others, and when (monotonic seconds)."""

    made: Record
    at: float


@dataclass(slots=True)
class ImportRun:
    """A run of one link that also has values of a file in hand, which neither side shows."""

    work: LinkRun
    row: RatingRow
    start: HeadStart | None = None
    created: set[str] = field(default_factory=set)
    differs: bool = False

    def run_until_in_step(self) -> None:
        """Raises SyncError; ``created`` tells what is on Wix also then."""
        self.work.begin()
        self.create_unknown()
        self.work.run_until_settled()
        self.differs = any(self.is_other(name) for name in self.values)

    @property
    def result(self) -> ImportResult:
        """What became of the row, once the run is at its end."""
        if self.created:
            return ImportResult("created")
        match self.view.run.link.state:
            case LinkState.LIVE:
                return ImportResult("there", self.differs)
            case LinkState.HELD:
                return ImportResult("held", self.differs)
            case LinkState.BURIED:
                return ImportResult("deleted_since", self.differs)

    def create_unknown(self) -> None:
        """Create on Wix what nobody knows."""
        if self.view.run.link.state is not LinkState.LIVE or self.view.erases:
            return
        for name in self.values:
            self.take_up(name)
        untouched = [name for name in self.values if self.is_untouched(name)]
        # What the external side shows now is newer than a file.
        if untouched:
            self.see_external()
        for name in untouched:
            if self.is_unknown(name):
                self.create(Slot(Side.WIX, name), self.values[name])

    def create(self, slot: Slot, value: Decimal) -> None:
        name, before = slot.attribute, self.view.written.count
        words = words_for(self.view, name, self.row.words)
        carried = {word: text for word, text in words.items() if word in self.view.carried.words}
        values: dict[str, Value] = {name: value, **carried}
        write = SlotWrite(
            slot,
            Operation.CREATE,
            {part: Write(Side.WIX, new, IMPORTED) for part, new in values.items()},
            values,
            Told(words, self.row.name, self.row.written_at, self.row.media),
        )
        if must_look_first(self.view, write):
            self.work.look(write)
            if not self.is_unknown(name):
                return
        self.work.writing.perform(write)
        if self.view.written.count > before:  # else Wix had one after all, and it was adopted
            self.created.add(name)
        self.work.writing.save()

    def take_up(self, name: str) -> None:
        """Read the record on Wix that an import made which was killed before it could look."""
        slot = Slot(Side.WIX, name)
        known = self.view.memory.get(slot)
        if (
            known is not None
            and known.revision == 0
            and self.view.record_views[slot].source is Source.LEDGER
        ):
            self._read(slot, known.remote_id)

    def _read(self, slot: Slot, remote_id: str) -> None:
        if self.start is None or self.start.made.remote_id != remote_id:
            self.work.reading.read(slot)
            return
        # As Wix has just returned it; the other side was looked at before that.
        self.view.take(slot, self.start.made)
        if self.work.reading.keeper.clock.monotonic() - self.start.at < FRESH_SECONDS:
            self.view.note_look_up(Side.EXTERNAL)

    @property
    def values(self) -> Mapping[str, Decimal]:
        return self.row.values

    @property
    def view(self) -> View:
        return self.work.view

    def is_untouched(self, name: str) -> bool:
        return (
            name in self.view.fields and self.is_unknown(name) and self.view.bases[name] == Base()
        )

    def is_unknown(self, name: str) -> bool:
        is_on_wix = self.view.record_views[Slot(Side.WIX, name)].remote_id is not None
        return not is_on_wix and self.view.value_on(Side.EXTERNAL, name) is None

    def see_external(self) -> None:
        slot = Slot(Side.EXTERNAL)
        if self.view.record_views[slot].remote_id is None:
            self.work.placing.look_up(Side.EXTERNAL)
        else:
            self.work.reading.read(slot)

    def is_other(self, name: str) -> bool:
        shown = self.view.value_on(Side.WIX, name) if name in self.view.fields else None
        return shown is not None and shown != self.values[name]


@dataclass(frozen=True, slots=True)
class Importer:
    """Imports ratings into one site.

    ``actor``: who has the file imported, for the history. ``_begun``: keys whose rating it has
    created on Wix, before the other side asked to wait.
    ``starts``: those that were created together.
    """

    engine: Engine
    connection: Connection
    site: Site
    actor: str = ""
    _begun: set[RatingKey] = field(default_factory=set)
    starts: dict[RatingKey, HeadStart] = field(default_factory=dict)

    def find_people(self, ratings: Sequence[RatingRow]) -> None:
        """Look up everybody whom the ledger does not know, and remember who was found.

        Up to 100 people are one call.
        """
        known = self.engine.ledger.directory.contact
        emails = dict.fromkeys(rating.email for rating in ratings)
        unknown = [email for email in emails if known(self.site.id, email=email) is None]
        found = self.connection.people.matches(unknown) if unknown else {}
        for email, contacts in found.items():
            contact = Contact(contacts[0].contact_id, email, contacts[0].name)
            # Refused with its row, and not made another person's.
            with suppress(Held):
                if self._earlier_addresses.contact_of(email, contact) is None:
                    self.engine.ledger.directory.save_contact(self.site.id, contact)

    @property
    def _earlier_addresses(self) -> EarlierAddresses:
        directory = self.engine.ledger.directory
        return EarlierAddresses(directory, self.connection.people, self.site)

    def key_of(self, rating: RatingRow) -> RatingKey | Closing:
        """The rating key, or a policy's word to skip it; ``find_people`` comes before.

        Raises Refused, Transient.
        """
        try:
            entities = MappedEntities(self.engine.ledger.directory, self.site)
            entity = entities.entity_of(rating.entity, rating.side)
        except (Held, Permanent) as refusal:
            parts = (rating.entity.namespace, rating.entity.group, rating.entity.entity_id)
            named = "/".join(part for part in parts if part)
            raise Refused(
                "entity", f"{refusal.reason}: {named} is not mapped; see `map entities import`"
            ) from None
        if isinstance(entity, Closing):
            return entity
        contact = self._contact(rating)
        if isinstance(contact, Closing):
            return contact
        return RatingKey(self.site.id, entity.id, contact.contact_id)

    def _contact(self, rating: RatingRow) -> Contact | Closing:
        ledger = self.engine.ledger
        contact = ledger.directory.contact(self.site.id, email=rating.email)
        if contact is not None:
            return contact
        try:
            contact = self._earlier_addresses.contact_of(rating.email, None)
        except Held as refusal:
            raise Refused("email", f"{refusal.reason}: see docs/held.md") from None
        if contact is not None:
            return contact
        # Whoever asked to be forgotten is neither made a contact nor put into a file of ours.
        if self.is_erased(rating.email):
            return ERASED
        match self.site.policy.unknown_contact:
            case "create":
                try:
                    made = self.connection.people.create(rating.email, rating.name)
                except Permanent as refusal:
                    raise Refused(
                        "email", f"{refusal.reason}: Wix does not take this contact"
                    ) from None
                return ledger.directory.save_contact(
                    self.site.id, Contact(made.contact_id, rating.email, rating.name)
                )
            case "skip":
                return Closing(InboxState.DONE, "contact_skipped")
            case _:
                raise Refused(
                    "email", "unknown_contact: no contact of the Wix site has this address"
                )

    def is_erased(self, email: str) -> bool:
        """Whether a privacy request has erased whoever had this address."""
        return is_erased_address(self.engine.ledger.directory, self.site, email)

    def import_rating(self, key: RatingKey, rating: RatingRow) -> ImportResult:
        """Create it on Wix unless it is known.

        Raises Refused; Transient, and then it may be imported again.
        """
        leased = self.engine.ledger.links.lease(self.engine.ledger.links.link_of(key))
        if leased is None:
            raise LeaseLost("another worker has this rating in hand", retry_after=BUSY_SECONDS)
        start = self.starts.pop(key, None)
        if start is not None:
            self._begun.add(key)
        work = ImportRun(self.engine.run_of(leased, self.actor), rating, start)
        try:
            work.run_until_in_step()
        except SyncError as error:
            self.give_back(leased)
            if isinstance(error, RateLimited):
                # It may be on Wix by now: the next attempt goes on from there.
                if work.created:
                    self._begun.add(key)
                raise
            if not work.created:
                raise as_refused(error) from error
            # It is on Wix; its echo brings it across.
            return ImportResult("created", note=str(error))
        if key in self._begun:
            return ImportResult("created")
        return work.result

    def give_back(self, leased: LeasedLink) -> None:
        """Leave to the workers what the run had in hand."""
        self.engine.ledger.inbox.defer(
            [delivery.id for delivery in leased.deliveries], 0.0, "import", is_failure=False
        )
        self.engine.ledger.links.release(leased.lease)
