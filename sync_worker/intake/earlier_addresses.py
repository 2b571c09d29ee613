"""Contacts on file under an address as earlier versions wrote it.

They folded the case of all letters: two people could have one form (``straße@`` and ``strasse@``),
and one person two. Each such address is looked up once and confirmed by Wix; nobody is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.core.errors import Held
from sync_worker.core.hold_keys import email_hold_key
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.people import People
from sync_worker.core.values import Contact, Site

PEOPLE_JOINED = "people_joined"


@dataclass(frozen=True, slots=True)
class EarlierAddresses:
    """Finds the contacts of one site whose address is on file in an earlier form."""

    directory: Directory
    people: People
    site: Site

    def contact_of(self, email: str, found: Contact | None) -> Contact | None:
        """The contact, whose address is then on file as it is now; ``None`` if nobody has one.

        ``email``: an address that is on file for nobody; ``found``: its contact as Wix shows it.
        Raises Held where the earlier form is another person's, Transient.
        """
        earlier = self.directory.earlier_contact(self.site.id, email)
        if earlier is None:
            return None
        form, known = earlier
        if not self._has_address(known, email, found):
            # Ratings of both may stand under one contact: only a person can tell whose.
            raise Held(
                PEOPLE_JOINED,
                hold_key=email_hold_key(email),
                has_arrived=lambda: self._is_known(email),
            )
        self.directory.rewrite_address(self.site.id, form, email)
        return known

    def _has_address(self, known: Contact, email: str, found: Contact | None) -> bool:
        if found is not None and found.contact_id == known.contact_id:
            return True
        live = self.people.by_id(known.contact_id)
        return live is not None and live.email == email

    def _is_known(self, email: str) -> bool:
        return self.directory.contact(self.site.id, email=email) is not None
