"""The contacts and members of the Wix site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sync_worker.core.values import Contact, Merge


class People(Protocol):
    """The contacts and members of the Wix site. Errors as for Remote."""

    def addresses_in(self, payload: Mapping[str, Any]) -> Sequence[str]:
        """The e-mail addresses that a verified contact event carries. Pure."""

    def merge_in(self, payload: Mapping[str, Any]) -> Merge | None:
        """What a verified merge event says, ``None`` if it does not name both contacts. Pure."""

    def by_email(self, email: str) -> Contact | None:
        """The contact for an address: primary match first, then the oldest, then the
        smallest id.
        """

    def matches(self, emails: Sequence[str]) -> Mapping[str, Sequence[Contact]]:
        """Contacts by normalised address, in the order of ``by_email``; one call for up to 100
        addresses.

        An address without a contact is missing; one with several contacts is for a person to look
        at.
        """

    def by_id(self, contact_id: str) -> Contact | None:
        """The contact (after a merge: the one it was merged into), ``None`` if unknown."""

    def by_ids(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        """Contacts by id; one call for up to 100.

        One that is missing was merged away or is gone: ``by_id`` tells.
        """

    def by_member(self, member_id: str) -> Contact | None:
        """The contact of a site member, ``None`` if unknown."""

    def create(self, email: str, name: str | None) -> Contact:
        """Create a contact, or adopt the one that has the address already."""
