"""One side as the engine sees it: what it can do, and the calls to it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from sync_worker.core.errors import SyncError
from sync_worker.core.ports.people import People
from sync_worker.core.values import (
    Draft,
    EntityRef,
    LongWords,
    Operation,
    Person,
    Policy,
    Record,
    ReplyWays,
    Side,
)
from sync_worker.core.values.texts import BODY, REPLY, TITLE, TextRule, WordsField

# Those that go with the stars, in the order in which they are read; and the owner's, by policy.
WORDS: Sequence[str] = (TITLE, BODY)
WORDS_AND_REPLY = (*WORDS, REPLY)
NO_WORDS: Mapping[str, WordsField] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a remote can do; the engine chooses its strategy by these."""

    has_revision: bool = True  # records carry a revision that grows by one with each change
    update_precondition: bool = True  # an update can name the revision it expects
    delete_precondition: bool = False  # a delete can name the revision it expects
    is_unique: bool = True  # one record for each person and entity (and attribute) is enforced
    trusts_payload: bool = True  # a verified event carries the whole record
    delete_is_final: bool = False  # a delete event for the id on file needs no look
    many_fields: bool = False  # one record holds the main value and sub-ratings
    create_is_async: bool = (
        False  # a create has no record in its answer: it shows itself later, or never
    )
    confirm_seconds: float = (
        900.0  # how long an accepted create may take to show; then a person looks
    )
    correlates_value: bool = True  # a record with another value is not taken for an accepted create
    correlates_text: bool = False  # nor one with a person's own words: ours have none
    can_find: bool = True  # its records of a person can be searched
    can_create: bool = True
    can_update: bool = True
    can_delete: bool = True
    ignored_operations: frozenset[str] = (
        frozenset()
    )  # cannot be done and need no person: "create", "update", "delete"
    skips_without_email: bool = (
        False  # records of people without an address end instead of being held
    )
    locks_records: bool = False  # a record may say itself that it is not to be changed, or deleted
    says_verified: bool = False  # records tell whether their person is known or may be anybody
    absence_counts: bool = (
        True  # what complete listings do not show, and no look by id finds, counts as deleted
    )
    says_gone: bool = True  # a look by id, and not only a listing, tells that a record is gone
    words: Mapping[str, TextRule] = field(default_factory=dict)  # the words that records carry
    media: bool = False  # shows addresses of pictures; on Wix: takes them with a create
    revision_covers_state: bool = True  # moderation raises the revision, too
    can_moderate: bool = False  # offers ``Moderation``
    shows_hidden: bool = True  # what moderation keeps out of sight is shown to us
    bulk_create: int = 0  # how many drafts one call of ``BulkCreate`` takes; 0: it offers none

    def can(self, operation: Operation) -> bool:
        """Whether the remote offers a write at all."""
        return {
            Operation.CREATE: self.can_create,
            Operation.UPDATE: self.can_update,
            Operation.DELETE: self.can_delete,
            Operation.WITHDRAW: self.can_moderate,
            Operation.APPROVE: self.can_moderate,
            Operation.REPLY: REPLY in self.words and self.words[REPLY].can_update,
        }[operation]


def words_between(
    capabilities: Mapping[Side, Capabilities], policy: Policy, taken: Container[str]
) -> Mapping[str, WordsField]:
    """The words that both sides carry, by name; ``taken``: names of ratings, which come first."""
    wix, external = capabilities[Side.WIX].words, capabilities[Side.EXTERNAL].words
    # as on all sites of Wix Ratings
    if not wix or not external:
        return NO_WORDS
    cuts = policy.too_long is LongWords.TRUNCATE
    names = WORDS
    if policy.replies is not ReplyWays.OFF and policy.of_replies() is not None:
        names = WORDS_AND_REPLY
    return {
        name: WordsField(name, wix[name], external[name], cuts)
        for name in names
        if name in wix and name in external and name not in taken
    }


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing. ``cursor``: where the next page begins, in any process; ``None``: this is
    the last one.

    ``unreadable``: rows that are no records of the system's own form; only a look by id tells more
    of them. ``newest``: of a listing of changes, the latest time that a record shows, in the
    remote's own clock. ``why_unreadable``: of the first such row.
    """

    records: Sequence[Record]
    cursor: str | None = None
    unreadable: int = 0
    newest: datetime | None = None
    why_unreadable: str = ""


class Remote(Protocol):
    """One side. Every call ends within the call deadline (8 s) with its retries.

    Errors of all calls: Transient, RateLimited, Permanent, Misconfigured.
    """

    @property
    def side(self) -> Side: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def reserve_request(self) -> None:
        """Take the next call's token from the budget now. Raises RateLimited."""

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        """The whole record that a verified event carries, or ``None``. Pure.

        Raises Permanent if malformed.
        """

    def get(self, remote_id: str) -> Record | None:
        """The record now, ``None`` if it does not exist (any more)."""

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        """All records of this person for this entity, oldest first; may lag behind recent
        writes.
        """

    def list_page(self, cursor: str | None = None) -> Page:
        """A page of all records, whatever their state; ``None`` begins.

        Raises Permanent for a cursor that repeats.
        """

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        """Create a record.

        Raises Duplicate, UnknownOutcome, and Unconfirmed where ``create_is_async``.
        """

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        """Update under ``revision`` as the precondition. Raises Conflict, Gone, UnknownOutcome."""

    def delete(self, remote_id: str, revision: int | None) -> None:
        """Delete; a record that is already gone is a success. Raises Conflict, UnknownOutcome."""


class Moderation(Protocol):
    """What a remote with ``can_moderate`` offers beside its records' content."""

    def withdraw(self, remote_id: str) -> Record:
        """Take a record out of sight and keep it. Raises Gone, UnknownOutcome, as Remote."""

    def approve(self, remote_id: str) -> Record:
        """Publish a record that waits. Raises Gone, UnknownOutcome, as Remote."""


class Replies(Protocol):
    """What a remote whose ``words`` name a reply offers, where that is a call of its own."""

    def reply(self, remote_id: str, text: str) -> Record:
        """Set the owner's reply; empty: remove it. Raises Gone, UnknownOutcome, as Remote."""


class BulkCreate(Protocol):
    """What a remote with ``bulk_create`` offers, for files and baselines."""

    def create_many(self, drafts: Sequence[Draft]) -> Sequence[Record | SyncError]:
        """What became of each draft, in their order. Raises UnknownOutcome for all of them."""

    def find_many(self, whose: Sequence[tuple[EntityRef, Person]]) -> Sequence[Sequence[Record]]:
        """``Remote.find`` for each of them, in their order."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The live remotes of one site.

    ``children``: every external record of a rated thing by its id, for systems whose events name
    only that; complete when it ends. ``changed``: a page of the external records that changed since
    a time (``None``: of all), deleted ones too where the system shows them; ``None`` where nothing
    but the whole can be listed. ``probes``: a cheap read of a side, which tells whether our
    credentials are accepted there; it returns False if the side has none. ``polled``: the sides
    that a poll looks at. Errors as for Remote.
    """

    remotes: Mapping[Side, Remote]
    people: People
    children: Callable[[str], Iterator[Record]] | None = None
    changed: Callable[[datetime | None, str | None], Page] | None = None
    probes: Mapping[Side, Callable[[], bool]] = field(default_factory=dict)
    polled: frozenset[Side] = frozenset({Side.EXTERNAL})
