"""The values that everything else speaks in: frozen, without I/O, in the words of the glossary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sync_worker.core.scale import FieldMap


class Side(StrEnum):
    """One of the two systems that are kept in step."""

    WIX = "wix"
    EXTERNAL = "external"

    @property
    def other(self) -> Side:
        return Side.EXTERNAL if self is Side.WIX else Side.WIX


class RecordState(StrEnum):
    """Moderation state of a record; only ``PUBLISHED`` crosses to the other side."""

    PUBLISHED = "published"
    PENDING = "pending"
    REJECTED = "rejected"
    DELETED = "deleted"


class InboxState(StrEnum):
    """Life of an accepted delivery: new → taken → one of the others."""

    NEW = "new"
    TAKEN = "taken"
    DONE = "done"
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"
    HELD = "held"


class LinkState(StrEnum):
    """``LIVE``: a rating exists on a side; ``BURIED``: gone on both; ``HELD``: a person decides."""

    LIVE = "live"
    BURIED = "buried"
    HELD = "held"


class Operation(StrEnum):
    """What a remote write does."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class IntentState(StrEnum):
    """``OPEN`` until the outcome of the write is known."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class EntityRef:
    """The rated thing as one side names it; ``namespace`` exists on the Wix side only."""

    entity_id: str
    group: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever gave a rating, as far as a record tells."""

    contact_id: str | None = None
    member_id: str | None = None
    visitor_id: str | None = None
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A rating record as a remote returned it.

    ``values`` are in the remote's own units, by field: on Wix the one attribute (``{"overall":
    80}``), on the external side the main value under ``"value"`` and each sub-rating under its
    name. ``revision`` is ``None`` where the remote has none. ``raw`` is the record as JSON, kept to
    send full updates. ``has_words``: a person wrote a text in it; told only where accepted creates
    are known by that.
    """

    remote_id: str
    values: Mapping[str, Decimal]
    revision: int | None = None
    sequence: int | None = None
    state: RecordState = RecordState.PUBLISHED
    entity: EntityRef | None = None
    person: Person = Person()
    raw: Mapping[str, Any] = field(default_factory=dict, hash=False)
    has_words: bool = False

    @property
    def is_visible(self) -> bool:
        """Whether the record may cross to the other side."""
        return self.state is RecordState.PUBLISHED


@dataclass(frozen=True, slots=True)
class Draft:
    """What we want a record to be: all of its mapped values, in the remote's own units.

    ``last`` is the record as last returned, for systems that want the whole record back.
    ``mapped``: names of all fields that are mapped; what ``last`` holds besides them is not ours to
    remove. ``source_id`` is the id on the other side, for provenance.
    """

    values: Mapping[str, Decimal]
    entity: EntityRef
    person: Person
    last: Mapping[str, Any] = field(default_factory=dict, hash=False)
    mapped: frozenset[str] = frozenset()
    source_id: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """A Wix contact as the ledger remembers it; ``email`` is normalised (trimmed, case-folded)."""

    contact_id: str
    email: str | None = None
    name: str | None = None
    author_id: str | None = None


@dataclass(frozen=True, slots=True)
class Merge:
    """Contacts that were merged away, and the one that lives on."""

    sources: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True, order=True)
class MergeDistance:
    """How near a contact is to the one that it was merged into: of two ratings of one person the
    nearest one's stays.

    ``merges``: how many lie between (0: it is the one that lives on). Among equals the smaller id
    comes first, so that merges end the same in whatever order they arrive. ``lives_as``: the one
    that lives on; only of one can be compared.
    """

    merges: int
    contact_id: str
    lives_as: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Entity:
    """A mapped rated thing under both of its names."""

    id: int
    wix: EntityRef
    external: EntityRef

    def on(self, side: Side) -> EntityRef:
        return self.wix if side is Side.WIX else self.external


@dataclass(frozen=True, slots=True)
class RatingKey:
    """One person's opinion of one entity on one site."""

    site_id: int
    entity_id: int
    contact_id: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Decisions that a site's owner may change; the defaults are design.md section 5."""

    unknown_contact: str = "hold"  # hold | create | skip
    wix_anonymous: str = "hold"  # hold | skip
    unknown_entity: str = "hold"  # hold | same_id | skip
    first_difference: str = "wix"  # wix | external | hold
    conflict: str = "latest"  # latest | wix | external
    edit_or_delete: str = "edit"  # edit | delete
    direction: str = "both"  # both | to_wix | to_external
    deletes: str = "propagate"  # propagate | ignore
    same_id_namespace: str = "reviews"  # where `same_id` looks for an external entity on Wix
    same_id_group: str = "stores"

    CHOICES = MappingProxyType(
        {
            "unknown_contact": ("hold", "create", "skip"),
            "wix_anonymous": ("hold", "skip"),
            "unknown_entity": ("hold", "same_id", "skip"),
            "first_difference": ("wix", "external", "hold"),
            "conflict": ("latest", "wix", "external"),
            "edit_or_delete": ("edit", "delete"),
            "direction": ("both", "to_wix", "to_external"),
            "deletes": ("propagate", "ignore"),
        }
    )

    def may_write(self, side: Side) -> bool:
        """Whether our writes may go to ``side``."""
        return self.direction == "both" or self.direction == f"to_{side}"


@dataclass(frozen=True, slots=True)
class Site:
    """One Wix app instance, its connector, policies and mapped fields."""

    id: int
    instance_id: str
    connector: str
    policy: Policy
    fields: tuple[FieldMap, ...]
    state: str = "active"  # active | recovery | paused | removed

    @property
    def is_at_work(self) -> bool:
        """Whether deliveries are processed; in recovery nothing is deleted (rule R11)."""
        return self.state in ("active", "recovery")


@dataclass(frozen=True, slots=True)
class Base:
    """What each side showed for one attribute when both last agreed; ``None`` is absent.

    ``version``: of the field's mapping by which they agreed.
    """

    wix: Decimal | None = None
    external: Decimal | None = None
    version: int = field(default=1, compare=False)

    def on(self, side: Side) -> Decimal | None:
        return self.wix if side is Side.WIX else self.external


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One attribute of one side as it is now.

    ``value`` is ``None`` when absent. ``heard`` is the inbox id of the delivery in hand that told
    us, ``None`` if it was found by reading or is what the ledger remembers. ``privacy``: absent
    because of a privacy request.
    """

    value: Decimal | None
    heard: int | None = None
    privacy: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """One remote record of a link: on Wix one for each attribute, on the external side one for all
    of them.
    """

    side: Side
    attribute: str = ""  # empty: the one record that holds every attribute

    def __str__(self) -> str:
        return f"{self.side}:{self.attribute or '*'}"


@dataclass(frozen=True, slots=True)
class Known:
    """The record of a slot as the ledger remembers it.

    ``revision`` is the *seen* revision: events at or below it tell nothing new. ``raw`` is the
    record as last returned. ``state`` tells a withdrawn record from a published one.
    """

    remote_id: str
    revision: int | None = None
    sequence: int | None = None
    state: RecordState = RecordState.PUBLISHED
    raw: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A rating key on both sides. ``writes`` are the database times (epoch seconds) of our recent
    writes.

    ``shadowed``: ids of older external records of the same person for the same thing, where the
    system allows several.
    """

    id: int
    key: RatingKey
    generation: int
    state: LinkState
    records: Mapping[Slot, Known]
    bases: Mapping[str, Base]
    writes: tuple[float, ...] = ()
    shadowed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one link until it ends; ``fence`` grows with every new holder."""

    link_id: int
    fence: int
    site_id: int


@dataclass(frozen=True, slots=True)
class Intent:
    """A remote write about to happen, or of unknown outcome.

    ``targets``: wanted value by attribute on ``slot.side`` (``None``: absent), in its units.
    ``sources``: value by attribute that the other side showed, in its units.
    ``befores``: what the write overwrites, ``reasons``: why, both by attribute, for the history.
    ``base_revision``: revision of the record before the write. ``source_ids``: ids of the records
    on the other side that it carries over, by the attribute of their slot. ``opened_at``: the
    database's time (epoch seconds).
    """

    id: str
    slot: Slot
    operation: Operation
    targets: Mapping[str, Decimal | None]
    sources: Mapping[str, Decimal | None]
    befores: Mapping[str, Decimal | None] = field(default_factory=dict, hash=False)
    reasons: Mapping[str, str] = field(default_factory=dict, hash=False)
    is_privacy: bool = False
    remote_id: str | None = None
    base_revision: int | None = None
    source_ids: Mapping[str, str] = field(default_factory=dict, hash=False)
    state: IntentState = IntentState.OPEN
    opened_at: float = field(default=0.0, compare=False)

    @property
    def is_imported(self) -> bool:
        """Writes a value that neither side showed: one from a file."""
        targets = self.targets.items()
        return any(
            target is not None and self.sources.get(name) is None for name, target in targets
        )


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A verified delivery, ready for the inbox.

    ``source``: Wix instance id or connector id. ``dedupe_id``: the sender's id for this delivery,
    or ``None`` for thin senders (then it is absorbed only by an equal row that no run has taken
    yet). ``change``: ``upsert``, ``delete``, ``erase`` (our own hint after a privacy request), or a
    word of its own for what is not a rating:
    ``contact_changed``, ``contact_merged``, ``contact_deleted``, ``app_installed``,
    ``app_removed``, ``parent_changed`` (something about the ratings of the thing ``remote_id``),
    ``create_failed`` (an accepted create was not carried out; the payload's ``entity`` and
    ``email`` tell which).
    """

    side: Side
    source: str
    dedupe_id: str | None
    change: str
    remote_id: str
    payload: Mapping[str, Any] = field(hash=False)
    revision: int | None = None
    sequence: int | None = None
    is_restore: bool = False  # may revive a buried id: Wix `created`
    # Wix identity names our app; counted, looked at before it is believed, never suppressed
    is_ours: bool = False
    privacy: bool = False
    event_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the inbox. ``must_read``: replayed or released, so its payload is a hint only.

    ``suspected_crashes``: signs that workers died over it (``ports.TRACK_AFTER``).
    """

    id: int
    new: NewDelivery
    state: InboxState = InboxState.NEW
    site_id: int | None = None
    link_id: int | None = None
    attempts: int = 0
    must_read: bool = False
    reason: str = ""
    received_at: datetime | None = None
    suspected_crashes: int = 0


@dataclass(frozen=True, slots=True)
class Buried:
    """A remote id that is gone for good, with what we last knew of it; ``privacy``: erased on
    request.
    """

    side: Side
    remote_id: str
    revision: int | None = None
    sequence: int | None = None
    privacy: bool = False


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of what was written or decided: the winner, the loser and why."""

    # create | update | delete | privacy_delete | merge | gap | unknown | hold | ignore | shadow |
    # drop | replay
    what: str
    side: Side | None
    attribute: str
    before: Decimal | None = None
    after: Decimal | None = None
    loser: Decimal | None = None
    loser_side: Side | None = None
    reason: str = ""
    remote_id: str = ""
    intent_id: str = ""
    inbox_id: int | None = None
