"""Answers that are no single value of a service: pages of lists, and what came of an action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.services.access.audit import AuditLine
from sync_worker.services.access.people import Person
from sync_worker.services.access.tokens import Token
from sync_worker.services.accounts.document import ShownAccount
from sync_worker.services.comparing import ComparedRun
from sync_worker.services.held.values import HeldGroup, HeldItem
from sync_worker.services.imports.imports import ImportFile, StoredRow
from sync_worker.services.ratings.values import DeliveryFound, Line, RatingFound
from sync_worker.services.sites.mapping import MapLine, WaitingThing
from sync_worker.services.sites.policies import Asked
from sync_worker.services.sites.sites import SiteSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Paged:
    """A page of a list.

    ``next_after``: to be sent as ``after``, a number, or of sites a text; ``next``: the same as an
    address. Both ``null``: it is the last one.
    """

    next_after: int | str | None
    next: str | None


@dataclass(frozen=True, slots=True)
class Groups:
    groups: Sequence[HeldGroup]


@dataclass(frozen=True, slots=True)
class HeldRows(Paged):
    items: Sequence[HeldItem]


@dataclass(frozen=True, slots=True)
class RatingRows(Paged):
    """``is_cut``: the word means more than is shown."""

    ratings: Sequence[RatingFound]
    deliveries: Sequence[DeliveryFound]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Activities(Paged):
    """``looked_back_to``: looking was given up there; the next page goes on."""

    lines: Sequence[Line]
    looked_back_to: datetime | None


@dataclass(frozen=True, slots=True)
class SiteRows(Paged):
    sites: Sequence[SiteSummary]


@dataclass(frozen=True, slots=True)
class OneSite:
    """``waiting``: products that are not mapped, by the ratings that wait for that."""

    site: SiteSummary
    policies: Sequence[Asked]
    waiting: Sequence[WaitingThing]


@dataclass(frozen=True, slots=True)
class MapRows(Paged):
    maps: Sequence[MapLine]


@dataclass(frozen=True, slots=True)
class PairRows(Paged):
    """``counts``: all that are open, by what fits."""

    pairs: Sequence[ProposedPair]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AuditRows(Paged):
    """``kinds``: what may be asked for as ``what``."""

    lines: Sequence[AuditLine]
    kinds: Sequence[str]


@dataclass(frozen=True, slots=True)
class UserRows(Paged):
    users: Sequence[Person]


@dataclass(frozen=True, slots=True)
class TokenRows(Paged):
    tokens: Sequence[Token]


@dataclass(frozen=True, slots=True)
class ReleasedNow:
    """``not_released``: of the numbers that were given; ``is_more``: more are held for the same."""

    released: Sequence[int]
    not_released: Sequence[int]
    is_more: bool


@dataclass(frozen=True, slots=True)
class DroppedNow:
    """As ReleasedNow."""

    dropped: Sequence[int]
    not_dropped: Sequence[int]
    is_more: bool


@dataclass(frozen=True, slots=True)
class TriedNow:
    """The deliveries that are tried within seconds."""

    tried: Sequence[int]


@dataclass(frozen=True, slots=True)
class DecidedNow:
    """``delivery``: a worker carries it out within seconds. ``rating``: of an undo unknown yet."""

    rating: int | None
    delivery: int


@dataclass(frozen=True, slots=True)
class DecidedAll:
    """As DecidedNow, for more than one."""

    deliveries: Sequence[int]


@dataclass(frozen=True, slots=True)
class RefusedPairs:
    """How many pairs are not proposed again."""

    refused: int


@dataclass(frozen=True, slots=True)
class GoesOn:
    rating: int
    released: Sequence[int]


@dataclass(frozen=True, slots=True)
class Answers:
    """The policies of a site, as they are now."""

    site_id: int
    policies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sentence:
    sentence: str


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """``values``: a JSON Schema of what the shop gives; ``connectors``: those to choose from.

    ``why_none``: why no account can be given here.
    """

    connector: str
    connectors: Sequence[str]
    why_none: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AccountNow:
    """What was done, and the account as it is now."""

    sentence: str
    account: ShownAccount | None


@dataclass(frozen=True, slots=True)
class Runs(Paged):
    runs: Sequence[ComparedRun]


@dataclass(frozen=True, slots=True)
class RunsOfSite(Paged):
    """``last_whole``: the last comparison that came to its end; ``under_way``: the open one.

    ``braked_deletes``: how many deletes are held as more than usual; ``braked_seen``: what stands
    for exactly these.
    """

    runs: Sequence[ComparedRun]
    last_whole: ComparedRun | None
    under_way: ComparedRun | None
    why_not: str
    braked_deletes: int
    braked_seen: str


@dataclass(frozen=True, slots=True)
class ImportFiles(Paged):
    files: Sequence[ImportFile]


@dataclass(frozen=True, slots=True)
class ImportRows(Paged):
    """``content`` of a row: JSON of its cells, or of its line; empty where its person was erased.

    ``what`` is ``null`` while it is to do; ``place``: the column that is to blame.
    """

    rows: Sequence[StoredRow]


@dataclass(frozen=True, slots=True)
class RejectedRows(Paged):
    """``text`` of all pages together is a file of the rejected rows, to be put right and sent."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class InvitedNow:
    """``link``: ``null`` where the request was sent again."""

    user: Person
    link: str | None


@dataclass(frozen=True, slots=True)
class EndedSessions:
    """How many there were."""

    ended: int
