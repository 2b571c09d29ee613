"""A site: its mapped entities, its policies and its rating keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar

from sync_worker.core.hold_reasons import (
    ACCOUNT_PAUSED,
    ACCOUNT_REVOKED,
    FOR_AN_ACCOUNT,
    NO_ACCOUNT,
)
from sync_worker.core.scale import FieldMap
from sync_worker.core.values.accounts import AccountState
from sync_worker.core.values.records import EntityRef, ShownWord, Side


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


class UnknownContact(StrEnum):
    """An external rater who is not a Wix contact."""

    HOLD = "hold"
    CREATE = "create"
    SKIP = "skip"


class WixAnonymous(StrEnum):
    """A Wix rater without an address, or an anonymous visitor."""

    HOLD = "hold"
    SKIP = "skip"


class UnknownEntity(StrEnum):
    """A rated thing that is not mapped; ``SAME_ID``: it has the same id on both sides."""

    HOLD = "hold"
    SAME_ID = "same_id"
    SKIP = "skip"


class FirstDifference(StrEnum):
    """Both sides hold a rating never linked before, and they differ: whose stays."""

    WIX = "wix"
    EXTERNAL = "external"
    HOLD = "hold"


class Conflict(StrEnum):
    """Both sides changed since they last agreed: whose change wins."""

    LATEST = "latest"
    WIX = "wix"
    EXTERNAL = "external"


class EditOrDelete(StrEnum):
    """Deleted on one side, edited on the other: which wins."""

    EDIT = "edit"
    DELETE = "delete"


class GuestMayChange(StrEnum):
    """Whether a guest whom the external system does not verify may change a member's rating."""

    HOLD = "hold"
    ALLOW = "allow"


class RejectedImport(StrEnum):
    """The owner rejects on Wix what we brought there: whether its source stays outside."""

    KEEP = "keep"
    DELETE = "delete"


class WixApproveOurs(StrEnum):
    """What we bring to Wix waits for moderation there: whether we approve it."""

    LEAVE = "leave"
    APPROVE = "approve"


class LongWords(StrEnum):
    """What becomes of a text that the other side cannot hold whole."""

    HOLD = "hold"
    TRUNCATE = "truncate"


class Pictures(StrEnum):
    """Whether the pictures of a review go along when it is made on Wix."""

    OFF = "off"
    TO_WIX = "to_wix"


class ReplyWays(StrEnum):
    """To which sides the owner's reply to a review travels."""

    OFF = "off"
    TO_WIX = "to_wix"
    TO_EXTERNAL = "to_external"
    BOTH = "both"


class AutoMap(StrEnum):
    """By what a thing that is not mapped is mapped out of both catalogues."""

    OFF = "off"
    SKU = "sku"
    ID = "id"


class Direction(StrEnum):
    """To which sides our writes may go."""

    BOTH = "both"
    TO_WIX = "to_wix"
    TO_EXTERNAL = "to_external"


class Deletes(StrEnum):
    """Whether a deletion crosses to the other side."""

    PROPAGATE = "propagate"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Policy:
    """Decisions that a site's owner may change; the defaults are the careful choices."""

    unknown_contact: UnknownContact = UnknownContact.HOLD
    wix_anonymous: WixAnonymous = WixAnonymous.HOLD
    unknown_entity: UnknownEntity = UnknownEntity.HOLD
    first_difference: FirstDifference = FirstDifference.WIX
    conflict: Conflict = Conflict.LATEST
    edit_or_delete: EditOrDelete = EditOrDelete.EDIT
    direction: Direction = Direction.BOTH
    deletes: Deletes = Deletes.PROPAGATE
    guest_may_change: GuestMayChange = GuestMayChange.HOLD
    rejected_import: RejectedImport = RejectedImport.KEEP
    wix_approve_ours: WixApproveOurs = WixApproveOurs.LEAVE
    too_long: LongWords = LongWords.HOLD
    replies: ReplyWays = ReplyWays.OFF
    pictures: Pictures = Pictures.OFF
    auto_map: AutoMap = AutoMap.OFF
    same_id_namespace: str = "reviews"  # where `same_id` looks for an external entity on Wix
    same_id_group: str = "stores"

    CHOICES: ClassVar[Mapping[str, tuple[StrEnum, ...]]] = MappingProxyType(
        {
            "unknown_contact": tuple(UnknownContact),
            "wix_anonymous": tuple(WixAnonymous),
            "unknown_entity": tuple(UnknownEntity),
            "first_difference": tuple(FirstDifference),
            "conflict": tuple(Conflict),
            "edit_or_delete": tuple(EditOrDelete),
            "direction": tuple(Direction),
            "deletes": tuple(Deletes),
            "guest_may_change": tuple(GuestMayChange),
            "rejected_import": tuple(RejectedImport),
            "wix_approve_ours": tuple(WixApproveOurs),
            "too_long": tuple(LongWords),
            "replies": tuple(ReplyWays),
            "pictures": tuple(Pictures),
            "auto_map": tuple(AutoMap),
        }
    )

    @classmethod
    def of(cls, chosen: Mapping[str, str]) -> Policy:
        """With these decisions, by name; the others are the defaults. Raises ValueError.

        A name that only a newer version of the program knows decides nothing here.
        """
        known = cls.__dataclass_fields__
        decisions: dict[str, Any] = {name: chosen[name] for name in chosen if name in known}
        for name, choices in cls.CHOICES.items():
            if name in chosen:
                decisions[name] = type(choices[0])(chosen[name])
        return cls(**decisions)

    def may_write(self, side: Side) -> bool:
        """Whether our writes may go to ``side``."""
        return self.direction in (Direction.BOTH, f"to_{side}")

    def of_replies(self) -> Policy | None:
        """What counts for the owner's replies; ``None``: they travel nowhere."""
        # as nearly always
        if self.replies is ReplyWays.OFF:
            return None
        way = Direction(self.replies)
        # both ways, or the one way that everything goes
        if way in (Direction.BOTH, self.direction):
            return self
        # one way of two
        if self.direction is Direction.BOTH:
            return replace(self, direction=way)
        return None


class SiteState(ShownWord):
    """``RECOVERY``: at work, but nothing is deleted; ``REMOVED``: the app is not installed."""

    ACTIVE = "active"
    RECOVERY = "recovery"
    PAUSED = "paused"
    REMOVED = "removed"


class WixKind(StrEnum):
    """Which API of Wix a site's ratings are kept in: setting ``wix_api`` of a site."""

    RATINGS = "ratings"
    REVIEWS = "reviews"


# What Wix calls the records of each in its events.
KIND_OF_EVENTS = {
    "wix.ratings.v1.rating": WixKind.RATINGS,
    "wix.reviews.v1.review": WixKind.REVIEWS,
}


# With these its deliveries are processed; ``None``: the environment holds the settings.
USABLE = (None, AccountState.ACTIVE, AccountState.NEW)


class SideState(StrEnum):
    """``FAILING``: the remote refuses our credentials; a probe each minute asks again."""

    WORKING = "working"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class SiteSide:
    """A side of a site: our credentials there, and what they may do."""

    site_id: int
    side: Side


@dataclass(frozen=True, slots=True)
class Site:
    """One Wix app instance, its connector, policies and mapped fields.

    ``failing``: the sides whose remote refuses our credentials. ``external_source``: the source of
    its external deliveries: its connector, where the environment holds the settings of the one
    shop, else one account of the connector; empty where none was given yet. ``account_state``: of
    that account. ``wix_learned``: what a probe found out of Wix Reviews there.
    """

    id: int
    instance_id: str
    connector: str
    policy: Policy
    fields: tuple[FieldMap, ...]
    state: SiteState = SiteState.ACTIVE
    failing: frozenset[Side] = frozenset()
    wix_api: WixKind = WixKind.RATINGS
    wix_learned: Mapping[str, str] = field(default_factory=dict, hash=False)
    external_source: str = ""
    account_state: AccountState | None = None

    @property
    def has_implicit_account(self) -> bool:
        """Whether the environment holds the settings of its connector, as of one shop."""
        return bool(self.connector) and self.external_source == self.connector

    def name_in_maps(self, ref: EntityRef) -> EntityRef:
        """What the maps of the site call a thing on Wix; Wix Reviews tells only a product's id.

        They name it as Wix Ratings does, so that they stay right whichever API the site uses.
        """
        if self.wix_api is WixKind.RATINGS or not ref.is_product:
            return ref
        return EntityRef(ref.entity_id, self.policy.same_id_group, self.policy.same_id_namespace)

    def is_out_of_reach(self, side: Side) -> bool:
        """Whether the site's records on a side are not ours any more.

        On Wix its app was removed, or outside its account has ended.
        """
        if side is Side.WIX:
            return self.state is SiteState.REMOVED
        return self.account_state is AccountState.REVOKED or not self.external_source

    @property
    def is_at_work(self) -> bool:
        """Whether deliveries are processed; in recovery nothing is deleted (rule R11)."""
        is_going = self.state in (SiteState.ACTIVE, SiteState.RECOVERY)
        return is_going and self.account_state in USABLE and self.external_source != ""

    @property
    def is_of_newer_version(self) -> bool:
        """Whether only a newer version knows how it, or its account, stands."""
        return not (self.state.is_known and (self.account_state or self.state).is_known)

    def may_have_gone_on(self, reason: str) -> bool:
        """Whether a hold for this reason ends as the site, or its account, goes to work again.

        An account may end, and another one follow, after the site was read.
        """
        if reason in (ACCOUNT_PAUSED, *FOR_AN_ACCOUNT):
            return True
        return not self.is_at_work and reason == self.why_at_rest

    @property
    def why_at_rest(self) -> str:
        """Why its deliveries wait, where it is not at work; a rest of the site itself comes first.

        So do those who paused it resume it before its account counts.
        """
        if self.state not in (SiteState.ACTIVE, SiteState.RECOVERY):
            return f"site_{self.state}"
        if not self.external_source:
            return NO_ACCOUNT
        if self.account_state is AccountState.REVOKED:
            return ACCOUNT_REVOKED
        return ACCOUNT_PAUSED
