"""What is missing is given in place: the product on the other side, or the contact on Wix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync_worker.core.email_identity import is_usable
from sync_worker.core.errors import Misconfigured
from sync_worker.core.hold_keys import email_hold_keys
from sync_worker.core.hold_reasons import Way, hold_reason
from sync_worker.core.said import said, said_many
from sync_worker.core.values import Contact, EntityRef, Record, Side, Site
from sync_worker.core.words import MAX_WIX_ID, is_usable_id
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.administration.mappings import Imported, ImportRefused
from sync_worker.ledger.console.held_filter import HeldFilter
from sync_worker.ledger.console.held_pages import HeldRow, SqlHeldPages
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.masking import masked
from sync_worker.services.access.who import Right, Who
from sync_worker.services.held.reading import Readings, missing_thing

MAX_ENTITY_ID = 256
MAX_GROUP = 128


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A thing on the other side that the catalogues propose; ``way``: what fits."""

    entity_id: str
    group: str
    title: str
    way: str


@dataclass(frozen=True, slots=True)
class MissingProduct:
    """A product that one side knows. ``asked_on``: the side whose id is to be given.

    ``waiting``: so many held ones wait for it, no more than 1,000; ``is_more``: more than that.
    """

    number: int
    known_on: str
    entity_id: str
    group: str
    asked_on: str
    suggestions: Sequence[Suggestion]
    waiting: int
    is_more: bool


@dataclass(frozen=True, slots=True)
class MissingContact:
    """A person who is nobody's contact on Wix. ``address``: empty: the delivery does not tell."""

    number: int
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Given:
    """What was mapped, and how many held ones go on with it."""

    words: str
    released: int


class Mending:
    """Every method raises Forbidden for what is not theirs, and Transient."""

    def __init__(self, admin: LedgerAdmin, readings: Readings) -> None:
        self._admin, self._readings = admin, readings
        self._pages = SqlHeldPages(admin.transactions)

    def missing(self, who: Who, number: int) -> MissingProduct | MissingContact | None:
        """What can be given for a held one; ``None``: nothing."""
        row = self._row(number)
        if row is None or row.site is None or not who.may(Right.MAP, row.site.id):
            return None
        record = self._readings.record(row)
        way = hold_reason(row.delivery.reason).way
        if way is Way.MAP_PRODUCT:
            return self._missing_product(row, row.site, record)
        if way is not Way.ADD_CONTACT:
            return None
        name, address = _person(record)
        if not who.may(Right.SEE_ADDRESSES, row.site.id):
            address = masked(address)
        return MissingContact(number, name, address)

    def map_product(self, who: Who, number: int, other: EntityRef, why: str = "") -> Given:
        """Say what the product of a held one is called on the other side.

        Raises ChangedMeanwhile: it is not held any more; Misconfigured: it cannot be mapped so.
        """
        row, site = self._mendable(who, number)
        known = missing_thing(row, self._readings.record(row))
        if known is None:
            raise Misconfigured(
                said(
                    "#%(number)s does not say what it rates, so it cannot be mapped", number=number
                )
            )
        _refuse_unusable(other)
        if row.delivery.new.side is Side.WIX:
            pair = (site.name_in_maps(known), other)
        else:
            policy = site.policy
            group = other.group or policy.same_id_group
            pair = (EntityRef(other.entity_id, group, policy.same_id_namespace), known)
        try:
            done = self._admin.mappings.import_entities(site, [pair], who.name, why)
        except ImportRefused as refused:
            raise Misconfigured(
                said("it cannot be mapped so: %(why)s", why=refused.problems[0])
            ) from None
        wix, external = pair
        told = said(
            "%(wix)s on Wix is %(external)s outside now",
            wix=wix.entity_id,
            external=external.entity_id,
        )
        return Given(_sentence(told, done), len(done.released))

    def add_contact(
        self, who: Who, number: int, contact_id: str, address: str = "", why: str = ""
    ) -> Given:
        """Say which contact on Wix the person of a held one is.

        ``address``: where the delivery does not tell it: it has to be the one that is waited for.
        Raises ChangedMeanwhile, Misconfigured.
        """
        row, site = self._mendable(who, number)
        record = self._readings.record(row)
        told = record.person.email if record is not None else None
        address = (told or address).strip()
        contact_id = contact_id.strip()
        if not is_usable(address):
            raise Misconfigured(
                said("give the e-mail address of the person, as the review shows it")
            )
        if row.hold_key not in email_hold_keys(address):
            raise Misconfigured(
                said("#%(number)s waits for another address than this one", number=number)
            )
        if not is_usable_id(contact_id, MAX_WIX_ID):
            raise Misconfigured(said("give the id of the contact, as Wix shows it in its address"))
        person = Contact(contact_id, address)
        try:
            done = self._admin.mappings.import_contacts(site, [person], who.name, why)
        except ImportRefused as refused:
            raise Misconfigured(
                said("it cannot be added so: %(why)s", why=refused.problems[0])
            ) from None
        return Given(_sentence(said("The contact is added"), done), len(done.released))

    def _missing_product(
        self, row: HeldRow, site: Site, record: Record | None
    ) -> MissingProduct | None:
        side, known = row.delivery.new.side, missing_thing(row, record)
        if known is None:
            return None
        other = Side.EXTERNAL if side is Side.WIX else Side.WIX
        fitting = [
            Suggestion(
                pair.external.entity_id if other is Side.EXTERNAL else pair.wix.entity_id,
                pair.external.group if other is Side.EXTERNAL else pair.wix.group,
                pair.external_title if other is Side.EXTERNAL else pair.title,
                pair.way,
            )
            for pair in self._admin.proposals.of_thing(site.id, side, known.entity_id)
        ]
        waiting = self._pages.waiting_for(row.delivery.reason, row.hold_key)
        return MissingProduct(
            row.delivery.id,
            str(side),
            known.entity_id,
            known.group,
            str(other),
            fitting,
            waiting.number,
            waiting.is_more,
        )

    def _mendable(self, who: Who, number: int) -> tuple[HeldRow, Site]:
        who.check(Right.MAP, who.site_id)
        row = self._row(number)
        # Whether one of another site is held is nobody's business.
        if row is None or row.site is None or not who.may(Right.MAP, row.site.id):
            raise ChangedMeanwhile(
                said("#%(number)s is not held any more, so there is nothing to map", number=number)
            )
        return row, row.site

    def _row(self, number: int) -> HeldRow | None:
        rows = self._pages.page(HeldFilter(inbox_ids=[number]), limit=1)
        return rows[0] if rows else None


def _person(record: Record | None) -> tuple[str, str]:
    """The name and the address that a delivery tells."""
    if record is None:
        return "", ""
    return record.person.name or "", record.person.email or ""


def _sentence(told: str, done: Imported) -> str:
    if not done.added and not done.changed:
        told = said("%(what)s (it was so already)", what=told)
    held = len(done.released)
    if not held:
        return said("%(what)s. Nothing had waited for it.", what=told)
    number = f"{held:,}"
    return said_many(
        "%(what)s; 1 held one goes on now.",
        "%(what)s; %(count)s held ones go on now.",
        held,
        what=told,
        count=number,
    )


def _refuse_unusable(ref: EntityRef) -> None:
    """Raises Misconfigured."""
    if not is_usable_id(ref.entity_id, MAX_ENTITY_ID):
        raise Misconfigured(said("give the id of the product, as the other side shows it"))
    if ref.group and not is_usable_id(ref.group, MAX_GROUP):
        raise Misconfigured(said("that group cannot be used: it is too long, or cannot be printed"))
