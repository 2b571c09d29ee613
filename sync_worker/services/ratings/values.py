"""What pages, API and commands show of ratings: the same names everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RatingFound:
    """One line of a search. Values are of the stars, as both sides last agreed on them.

    ``state``: a word; ``sentence``: the same in words. ``email``: in part, for who may not see it.
    """

    number: str
    link_id: int
    site_id: int
    site: str
    connector: str
    person: str | None
    email: str | None
    contact_id: str
    product: str | None
    wix_product_id: str
    external_product_id: str
    wix_value: str | None
    wix_best: str | None
    external_value: str | None
    external_best: str | None
    words: str | None
    state: str
    sentence: str
    reasons: tuple[str, ...]
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryFound:
    """A delivery that belongs to no rating yet. ``because``: why, in words."""

    number: str
    inbox_id: int
    site_id: int | None
    site: str
    side: str
    person: str | None
    product: str | None
    product_id: str | None
    remote_id: str
    state: str
    reason: str
    because: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search. ``after``: the key of the next; ``is_cut``: the word means more."""

    ratings: tuple[RatingFound, ...]
    deliveries: tuple[DeliveryFound, ...]
    after: int | None
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Line:
    """What happened, in words. ``lost``: what was overwritten, on ``lost_side``.

    ``can_undo``: the history still has what was there before, and this person may decide.
    """

    number: str
    history_id: int
    at: datetime
    site_id: int
    site: str | None
    link_id: int | None
    person: str | None
    product: str | None
    actor: str
    kind: str
    side: str | None
    attribute: str
    what: str
    before: str | None
    after: str | None
    lost: str | None
    lost_side: str | None
    why: str
    is_forgotten: bool
    can_undo: bool


@dataclass(frozen=True, slots=True)
class Lines:
    """A page of what happened. ``looked_back_to``: looking was given up there, to go on by key."""

    lines: tuple[Line, ...]
    after: int | None
    looked_back_to: datetime | None
