"""Records as remotes return them: the rated thing, the person and the values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NoReturn, Self

from sync_worker.core.errors import OfNewerVersion

NEWER_SECONDS = 10.0  # by then a worker of that version may have it
# The only namespace of Wix Reviews; it has no groups.
# https://dev.wix.com/docs/sdk/backend-modules/reviews/introduction
PRODUCTS = "stores"


class Side(StrEnum):
    """One of the two systems that are kept in step."""

    WIX = "wix"
    EXTERNAL = "external"

    @property
    def other(self) -> Side:
        return Side.EXTERNAL if self is Side.WIX else Side.WIX


class KeptWord(StrEnum):
    """A word that rows of the ledger keep, so that a newer version may have written it.

    Raises OfNewerVersion for one that we do not know: a fleet is being upgraded, and we are old.
    """

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise OfNewerVersion(retry_after=NEWER_SECONDS)


class ShownWord(StrEnum):
    """A word of the ledger that lists and pages show, also where a newer version wrote it."""

    @classmethod
    def kept(cls, word: str) -> Self:
        """The word of a row. One that we do not know stays as it is, and is none of ours."""
        try:
            return cls(word)
        except ValueError:
            unknown = str.__new__(cls, word)
            unknown._name_ = unknown._value_ = word
            return unknown

    @property
    def is_known(self) -> bool:
        return self in tuple(type(self))


class RecordState(KeptWord):
    """Moderation state of a record; only ``PUBLISHED`` crosses to the other side."""

    PUBLISHED = "published"
    PENDING = "pending"
    REJECTED = "rejected"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class EntityRef:
    """The rated thing as one side names it; ``namespace`` exists on the Wix side only."""

    entity_id: str
    group: str = ""
    namespace: str = ""

    @property
    def is_product(self) -> bool:
        """Whether it is named as Wix Reviews does: by its id among the products of the site."""
        return self.namespace == PRODUCTS and not self.group


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
    are known by that. ``is_verified``: whether the remote knows that this person gave it (``None``:
    it does not say); anybody may give the address of somebody else. ``words``: what it shows under
    ``title``, ``body`` and ``reply``, in the bytes and the markup of its system; a name that is
    missing is not carried there (or was not shown), an empty text is an empty field.
    ``written_at``: when its person wrote it. ``is_ours``: whether we made it, as far as the remote
    tells. ``lost``: of the answer to an update, what that took from the record unasked.
    ``media``: addresses of pictures, as the external side shows them. ``locked``: what it says
    itself that we may not do with it: ``update``, ``delete``.
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
    is_verified: bool | None = None
    words: Mapping[str, str] = field(default_factory=dict, hash=False)
    written_at: datetime | None = None
    is_ours: bool | None = None
    lost: frozenset[str] = frozenset()
    media: tuple[str, ...] = ()
    locked: frozenset[str] = frozenset()

    @property
    def is_visible(self) -> bool:
        """Whether the record may cross to the other side."""
        return self.state is RecordState.PUBLISHED


@dataclass(frozen=True, slots=True)
class SearchKeys:
    """By what people find a delivery whose rating key is not known yet.

    ``person_id``: of the contact, where the record names one. ``entity_id``: as its side names it.
    """

    email: str | None = None
    person_id: str | None = None
    name: str | None = None
    entity_id: str | None = None

    @classmethod
    def of(cls, record: Record) -> SearchKeys:
        """What a record shows of its person and its thing."""
        person = record.person
        entity_id = None if record.entity is None else record.entity.entity_id
        return cls(person.email, person.contact_id, person.name, entity_id)


@dataclass(frozen=True, slots=True)
class Draft:
    """What we want a record to be: all of its mapped values, in the remote's own units.

    ``last`` is the record as last returned, for systems that want the whole record back.
    ``mapped``: names of all fields that are mapped; what ``last`` holds besides them is not ours to
    remove. ``source_id`` is the id on the other side, for provenance. ``words``: all that the
    record shall hold under ``title`` and ``body``, in the form of its system. ``changed``: names of
    the values and words that this write changes; ``None``: all of them, as in a create.
    ``written_at``: when its person wrote it, ``media``: addresses of its pictures, both for a
    create.
    """

    values: Mapping[str, Decimal]
    entity: EntityRef
    person: Person
    last: Mapping[str, Any] = field(default_factory=dict, hash=False)
    mapped: frozenset[str] = frozenset()
    source_id: str = ""
    words: Mapping[str, str] = field(default_factory=dict, hash=False)
    changed: frozenset[str] | None = None
    written_at: datetime | None = None
    media: tuple[str, ...] = ()

    @property
    def words_to_write(self) -> Mapping[str, str]:
        """The words that this write changes."""
        changed = self.changed
        if changed is None:
            return self.words
        return {name: text for name, text in self.words.items() if name in changed}
