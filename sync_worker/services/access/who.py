"""Who asks for something, and what that one may: one table for pages, API and commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sync_worker.core.errors import SyncError
from sync_worker.core.said import said


class Role(StrEnum):
    """``OWNER``: of one site, which comes from the signed instance of Wix."""

    VIEWER = "viewer"
    SUPPORT = "support"
    ADMIN = "admin"
    OWNER = "owner"


class Right(StrEnum):
    """What one may do with a site, or with the installation."""

    LOOK = "look"
    SEE_ADDRESSES = "see_addresses"
    RELEASE = "release"  # held ones: release, drop, try now
    DECIDE = "decide"  # of one rating: make both sides the same, undo, stop, compare now
    MAP = "map"
    PAUSE = "pause"
    POLICY = "policy"
    ACCOUNT = "account"
    DRY_RUN = "dry_run"
    COMPARE = "compare"  # a baseline or sweep that writes, an import
    MACHINES = "machines"
    USERS = "users"


OF_INSTALLATION = frozenset({Right.MACHINES, Right.USERS})
_VIEWER = frozenset({Right.LOOK})
_SUPPORT = _VIEWER | {
    Right.SEE_ADDRESSES,
    Right.RELEASE,
    Right.DECIDE,
    Right.MAP,
    Right.DRY_RUN,
}
_ADMIN = frozenset(Right)

RIGHTS: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        Role.VIEWER: _VIEWER,
        Role.SUPPORT: _SUPPORT,
        Role.ADMIN: _ADMIN,
        Role.OWNER: _ADMIN - OF_INSTALLATION,
    }
)


class Forbidden(SyncError):
    """Somebody asked for what is not theirs to do."""

    def __init__(self, who: Who, right: Right) -> None:
        self.who, self.right = who, right
        super().__init__(
            said(
                "%(name)s (%(role)s) may not do this here: %(right)s",
                name=who.name,
                role=who.role,
                right=str(right).replace("_", " "),
            )
        )


class NotThere(SyncError):
    """What somebody asks for is not there, or is of a site that is not theirs: they learn no more.

    The message is for people: what is missing.
    """


@dataclass(frozen=True, slots=True)
class Who:
    """``name``: as audit rows have it. ``site_id``: the one site of somebody who has no other.

    ``only``: of a program's token, the rights that it was given.
    """

    name: str
    role: Role
    site_id: int | None = None
    only: frozenset[Right] | None = None

    def __post_init__(self) -> None:
        if self.role is Role.OWNER and self.site_id is None:
            raise ValueError("an owner has a site")

    def may(self, right: Right, site_id: int | None = None) -> bool:
        """``site_id``: the site it is about; ``None``: of all sites, or of the installation."""
        is_of_theirs = self.site_id is None or site_id == self.site_id
        is_given = self.only is None or right in self.only
        return right in RIGHTS[self.role] and is_of_theirs and is_given

    def check(self, right: Right, site_id: int | None = None) -> None:
        """Raises Forbidden."""
        if not self.may(right, site_id):
            raise Forbidden(self, right)


# Whoever has a shell on the machine, its settings and its ledger may do everything.
COMMAND = Who("command line", Role.ADMIN)
