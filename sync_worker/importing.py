"""Ratings from a file into Wix, by the same engine that serves webhooks: link, lease, intent, create, commit.

A row of a file is an opinion that neither side has to show. It counts only for a rating of which the ledger, Wix and
the external system know nothing: then it is created on Wix, and travels on as any rating of Wix does. What is there
already, or was deleted since, stays as it is; so a second import of the same file writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from sync_worker.engine import Engine, LinkRun
from sync_worker.errors import Held, LeaseLost, Permanent, SyncError
from sync_worker.model import Base, Contact, EntityRef, InboxState, LinkState, Operation, RatingKey, Side, Site, Slot
from sync_worker.plan import Write
from sync_worker.ports import Closing, Connection
from sync_worker.resolve import Resolver
from sync_worker.slot_write import SlotWrite

BUSY_SECONDS = 0.3
CONCERNS_ALL = ("unauthorized", "redirected", "host_not_allowed", "site_paused", "site_removed")

What = Literal["created", "there", "deleted_since"]


@dataclass(frozen=True, slots=True)
class Opinion:
    """One person's rating of one thing. ``values``: in Wix's units, by attribute; ``side``: whose id ``entity`` is."""

    entity: EntityRef
    side: Side
    email: str
    name: str | None
    values: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of an opinion. ``differs``: Wix has another value; ``note``: what is still to be done, and why."""

    what: What
    differs: bool = False
    note: str = ""


class Refused(Exception):
    """The opinion cannot be brought in; ``column`` is the part of it that is to blame."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


@dataclass(slots=True)
class OpinionRun(LinkRun):
    """A run that also has an opinion in hand, which neither side shows."""

    opinion: Mapping[str, Decimal] = field(default_factory=dict)
    created: set[str] = field(default_factory=set)
    differs: bool = False

    def work(self) -> str:
        self.begin()
        self.bring_in()
        outcome = self.come_to_rest()
        self.differs = any(self.is_other(name) for name in self.opinion)
        return outcome

    def bring_in(self) -> None:
        """Create on Wix what nobody knows. The external side is asked first: what it shows now is newer than a file."""
        if self.run.link.state is not LinkState.LIVE or self.view.erases:
            return
        for name in self.opinion:
            self.take_up(name)
        untouched = [name for name in self.opinion if self.is_untouched(name)]
        if untouched:
            self.see_external()
        for name in untouched:
            slot, value = Slot(Side.WIX, name), self.opinion[name]
            if self.is_unknown(name):
                action, before = Write(Side.WIX, value, "import"), self.writes
                self.perform(SlotWrite(slot, Operation.CREATE, {name: action}, {name: value}))
                if self.writes > before:  # else Wix had one after all, and it was adopted
                    self.created.add(name)

    def take_up(self, name: str) -> None:
        """An import that was killed between Wix and the external side left a record of which nothing was seen yet."""
        slot = Slot(Side.WIX, name)
        known = self.view.memory.get(slot)
        if known is not None and known.revision == 0 and self.view.sights[slot].source == "ledger":
            self.view.read(slot)

    def is_untouched(self, name: str) -> bool:
        return name in self.view.fields and self.is_unknown(name) and self.bases[name] == Base()

    def is_unknown(self, name: str) -> bool:
        return self.view.sights[Slot(Side.WIX, name)].remote_id is None and self.value_on(Side.EXTERNAL, name) is None

    def see_external(self) -> None:
        slot = Slot(Side.EXTERNAL)
        if self.view.sights[slot].remote_id is None:
            self.view.look_up(Side.EXTERNAL)
        else:
            self.view.read(slot)

    def is_other(self, name: str) -> bool:
        shown = self.value_on(Side.WIX, name)
        return name in self.view.fields and shown is not None and shown != self.opinion[name]


@dataclass(frozen=True, slots=True)
class Importer:
    """Brings opinions into one site."""

    engine: Engine
    connection: Connection
    site: Site

    def find_people(self, opinions: Sequence[Opinion]) -> None:
        """Look up everybody whom the ledger does not know, in one call for up to 100, and remember who was found."""
        known = self.engine.ledger.contact
        emails = dict.fromkeys(one.email for one in opinions)
        unknown = [email for email in emails if known(self.site.id, email=email) is None]
        found = self.connection.people.matches(unknown) if unknown else {}
        for email, contacts in found.items():
            self.engine.ledger.save_contact(self.site.id, Contact(contacts[0].contact_id, email, contacts[0].name))

    def key_of(self, opinion: Opinion) -> RatingKey | Closing:
        """The rating key, or a policy's word to skip it; ``find_people`` comes before. Raises Refused, Transient."""
        try:
            resolver = Resolver(self.engine.ledger, self.connection, self.site)
            entity = resolver.entity_of(opinion.entity, opinion.side)
        except (Held, Permanent) as refusal:
            named = "/".join(filter(None, (opinion.entity.namespace, opinion.entity.group, opinion.entity.entity_id)))
            raise Refused("entity", f"{refusal.reason}: {named} is not mapped; see `map entities import`") from None
        if isinstance(entity, Closing):
            return entity
        contact = self._contact(opinion)
        return contact if isinstance(contact, Closing) else RatingKey(self.site.id, entity.id, contact.contact_id)

    def _contact(self, opinion: Opinion) -> Contact | Closing:
        ledger = self.engine.ledger
        contact = ledger.contact(self.site.id, email=opinion.email)
        if contact is not None:
            return contact
        match self.site.policy.unknown_contact:
            case "create":
                try:
                    made = self.connection.people.create(opinion.email, opinion.name)
                except Permanent as refusal:
                    raise Refused("email", f"{refusal.reason}: Wix does not take this contact") from None
                return ledger.save_contact(self.site.id, Contact(made.contact_id, opinion.email, opinion.name))
            case "skip":
                return Closing(InboxState.DONE, "contact_skipped")
            case _:
                raise Refused("email", "unknown_contact: no contact of the Wix site has this address")

    def bring(self, key: RatingKey, values: Mapping[str, Decimal]) -> Brought:
        """Create it on Wix unless it is known. Raises Refused; Transient, and then it may be brought again."""
        run = self.engine.ledger.lease(self.engine.ledger.link_of(key))
        if run is None:
            raise LeaseLost("another worker has this rating in hand", retry_after=BUSY_SECONDS)
        work = OpinionRun(self.engine, run, opinion=values)
        try:
            work.work()
        except SyncError as error:
            self._give_back(work)
            if not work.created:
                raise _as_refused(error) from error
            return Brought("created", note=str(error))  # it is on Wix; its echo brings it across
        if work.created:
            return Brought("created")
        return Brought("there" if work.run.link.state is LinkState.LIVE else "deleted_since", work.differs)

    def _give_back(self, work: OpinionRun) -> None:
        """What the run had in hand is for the workers."""
        ids = [delivery.id for delivery in work.run.deliveries]
        self.engine.ledger.defer(ids, 0.0, "import", is_failure=False)
        self.engine.ledger.release(work.run.lease)


def _as_refused(error: SyncError) -> Exception:
    """An error of the row becomes its reason; what concerns every row stays what it is."""
    if not isinstance(error, Held | Permanent) or error.reason in CONCERNS_ALL:
        return error
    return Refused("", f"{error.reason}: {error.message}")
