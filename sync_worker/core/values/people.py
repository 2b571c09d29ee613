"""Contacts as the ledger remembers them, and what a merge makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Contact:
    """A Wix contact as the ledger remembers it; ``email`` is its identity (email_identity)."""

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
