"""What a run sees of the record of one slot, and where it knows that from. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sync_worker.core.plan import Field
from sync_worker.core.ports.remote import Capabilities, words_between
from sync_worker.core.scale import FieldMap
from sync_worker.core.values import (
    Base,
    EntityRef,
    Known,
    Person,
    Record,
    RecordState,
    Side,
    Site,
    Slot,
    Standing,
    Value,
)
from sync_worker.core.values.record_identity import as_answered, as_changed_since, identity_shown
from sync_worker.core.values.texts import WORDS_VERSION, WordsField

MAIN_FIELD = "value"
EXTERNAL_SLOT = Slot(Side.EXTERNAL)
NOT_TOLD = Person()
NEVER_RATED, NEVER_SAID = Base(), Base(version=WORDS_VERSION)


class Source(StrEnum):
    """Where a run knows a record from."""

    LEDGER = "ledger"  # remembered since the last run
    HEARD = "heard"  # carried by a delivery in hand
    READ = "read"  # read from the remote in this run


@dataclass(frozen=True, slots=True)
class RecordView:
    """The record of a slot as one run sees it.

    ``values``: by attribute, mapped ones only, and the words that both sides carry; empty while the
    record is absent or withdrawn. ``heard``: the newest delivery in hand that spoke of it.
    ``privacy``: gone on request. ``is_verified``, ``entity``, ``person``, ``written_at``,
    ``media``, ``locked``: as in a record, where this run has seen it. ``identity``,
    ``standing``: as in ``Known``. ``hidden``: what it holds while it is out of sight.
    ``is_missed``: a look did not find it, and it may be hidden from us: as on file.
    """

    values: Mapping[str, Value]
    source: Source
    remote_id: str | None = None
    revision: int | None = None
    sequence: int | None = None
    state: RecordState = RecordState.PUBLISHED
    heard: int | None = None
    privacy: bool = False
    is_verified: bool | None = None
    entity: EntityRef | None = None
    person: Person = NOT_TOLD
    raw: Mapping[str, Any] = field(default_factory=dict, hash=False)
    identity: str | None = None
    standing: Standing = Standing.THEIRS
    hidden: Mapping[str, Value] = field(default_factory=dict, hash=False)
    written_at: datetime | None = None
    is_missed: bool = False
    media: tuple[str, ...] = ()
    locked: frozenset[str] = frozenset()

    @property
    def is_hidden(self) -> bool:
        """The record exists, and moderation keeps it out of sight."""
        return self.remote_id is not None and self.state is not RecordState.PUBLISHED

    @property
    def is_withdrawn(self) -> bool:
        """The record exists but counts as gone: moderation keeps it out of sight."""
        if self.remote_id is None or self.state is RecordState.PUBLISHED:
            return False
        return not self.standing.counts_hidden

    def under(self, standing: Standing) -> RecordView:
        """The same, as it counts by another standing."""
        if not self.is_hidden:
            return replace(self, standing=standing)
        values = self.hidden if standing.counts_hidden else {}
        return replace(self, standing=standing, values=values)

    def answered(self) -> RecordView:
        """As a create of ours was answered: that may name whom we named, and the record another."""
        return replace(self, identity=as_answered(self.identity))

    def changed_since(self) -> RecordView:
        """As somebody else has changed it, in what no look has shown."""
        return replace(self, identity=as_changed_since(self.identity))

    def known(self) -> Known | None:
        """The same as the ledger's memory."""
        if self.remote_id is None:
            return None
        revision, sequence, state = self.revision, self.sequence, self.state
        raw, identity, standing = self.raw, self.identity, self.standing
        return Known(self.remote_id, revision, sequence, state, raw, identity, standing)

    def heard_by(self, inbox_id: int) -> RecordView:
        """The same, spoken of by this delivery too."""
        # The newest counts: inbox ids grow in the order in which we accepted deliveries.
        if self.heard is not None and self.heard >= inbox_id:
            return self
        return replace(self, heard=inbox_id)


@dataclass(frozen=True, slots=True)
class Carried:
    """The ratings and words of a site.

    ``main``: the attribute without which an external record cannot exist (``None``: it is not
    mapped). ``words``: by name; empty where a side carries none. ``in_slot``: the attributes that
    the record of a slot holds, in the order in which slots are written.
    """

    fields: Mapping[str, FieldMap]
    main: str | None
    words: Mapping[str, WordsField]
    in_slot: Mapping[Slot, Collection[str]]

    def field_of(self, attribute: str) -> Field:
        """How an attribute is compared."""
        return self.words.get(attribute) or self.fields[attribute]

    def version_of(self, attribute: str) -> int:
        """Of the mapping that counts now."""
        field = self.words.get(attribute) or self.fields.get(attribute)
        return field.version if field is not None else 1

    def says_same(
        self, attribute: str, side: Side, before: Value | None, now: Value | None
    ) -> bool:
        """Whether a side says what it said before."""
        # As nearly always; or it is not kept in step any more, and nothing tells.
        if before == now or attribute not in self.in_slot[EXTERNAL_SLOT]:
            return before == now
        return self.field_of(attribute).is_unchanged(side, before, now)

    def first_bases(self, known: Mapping[str, Base]) -> dict[str, Base]:
        """A base for each attribute: as on file, else nothing was agreed yet."""
        bases = dict[str, Base]()
        for name in self.in_slot[EXTERNAL_SLOT]:
            unknown = NEVER_SAID if name in self.words else NEVER_RATED
            bases[name] = known.get(name, unknown)
        return bases


def carried_of(site: Site, capabilities: Mapping[Side, Capabilities]) -> Carried:
    """What a site's sides have in common."""
    fields = {one.attribute: one for one in site.fields}
    main = None
    for name, one in fields.items():
        if main is None and one.external_field == MAIN_FIELD:
            main = name
    words = words_between(capabilities, site.policy, fields)
    # on Wix each attribute has a record of its own; the main one holds the words
    in_slot: dict[Slot, Collection[str]] = {Slot(Side.WIX, name): [name] for name in fields}
    if main is None:
        words = {}
    elif words:
        in_slot[Slot(Side.WIX, main)] = [main, *words]
    in_slot[EXTERNAL_SLOT] = [*fields, *words]
    return Carried(fields, main, words, in_slot)


def absent(source: Source, heard: int | None = None, *, privacy: bool = False) -> RecordView:
    return RecordView({}, source, heard=heard, privacy=privacy)


def remembered(
    slot: Slot, known: Known | None, bases: Mapping[str, Base], carried: Carried
) -> RecordView:
    """The ledger's view: the values when both sides last agreed, at the seen revision."""
    if known is None:
        return absent(Source.LEDGER)
    attributes = carried.in_slot[slot]
    agreed = {name: bases[name].on(slot.side) for name in attributes if name in bases}
    holds = {name: value for name, value in agreed.items() if value is not None}
    values = holds
    if known.state is not RecordState.PUBLISHED and not known.standing.counts_hidden:
        values = {}
    return RecordView(
        values,
        Source.LEDGER,
        known.remote_id,
        known.revision,
        known.sequence,
        known.state,
        raw=known.raw,
        identity=known.identity,
        standing=known.standing,
        hidden=holds,
    )


def seen(
    slot: Slot,
    record: Record,
    carried: Carried,
    source: Source,
    heard: int | None = None,
    known: Known | None = None,
) -> RecordView:
    """The view that a whole record gives; ``known``: the slot's as on file."""
    holds = values_in(slot, record, carried)
    noted, standing = None, Standing.THEIRS
    if known is not None and known.remote_id == record.remote_id:
        noted, standing = known.identity, known.standing
    identity = None
    # On Wix the person and the thing of a rating never change.
    if slot.side is Side.EXTERNAL:
        identity = identity_shown(record.entity, record.person.email, noted)
    # Whoever made it said so where it was made, too.
    elif record.is_ours and standing is Standing.THEIRS:
        standing = Standing.OURS
    # Shown again by its owner, or approved.
    is_visible = record.state is RecordState.PUBLISHED
    if is_visible and standing in (Standing.REJECTED, Standing.TO_APPROVE):
        standing = Standing.OURS
    # What moderation keeps out of sight has no values that may cross.
    values = holds
    if not is_visible and not standing.counts_hidden:
        values = {}
    return RecordView(
        values,
        source,
        record.remote_id,
        record.revision,
        record.sequence,
        record.state,
        heard,
        is_verified=record.is_verified,
        entity=record.entity,
        person=record.person,
        raw=record.raw,
        identity=identity,
        standing=standing,
        hidden=holds,
        written_at=record.written_at,
        media=record.media,
        locked=record.locked,
    )


def values_in(slot: Slot, record: Record, carried: Carried) -> dict[str, Value]:
    """Values by attribute that a record of this slot holds."""
    names = {field.attribute: field.external_field for field in carried.fields.values()}
    # on Wix each attribute has a record of its own
    if slot.side is Side.WIX:
        names = {slot.attribute: slot.attribute}
    values = dict[str, Value]()
    for name, there in names.items():
        if there in record.values:
            values[name] = record.values[there]
    # Words alone are no rating: they go with the main value.
    if carried.main in values:
        values |= {name: text for name, text in record.words.items() if name in carried.words}
    return values


def seen_revisions(record_views: Iterable[RecordView]) -> dict[str, int]:
    """By remote id."""
    return {
        record_view.remote_id: record_view.revision
        for record_view in record_views
        if record_view.remote_id and record_view.revision is not None
    }


def to_fields(
    values: Mapping[str, Value], fields: Iterable[FieldMap], side: Side
) -> dict[str, Decimal]:
    """Values by attribute → values by the field names of a side; words are none of them."""
    there = dict[str, Decimal]()
    for mapped in fields:
        value = values.get(mapped.attribute)
        if isinstance(value, Decimal):
            name = mapped.attribute if side is Side.WIX else mapped.external_field
            there[name] = value
    return there
