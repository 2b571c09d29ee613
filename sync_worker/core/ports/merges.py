"""People who change: merged contacts and erased ones."""

from __future__ import annotations

from typing import Protocol

from sync_worker.core.values import Lease, Merge, MergeDistance, Person, Side


class Merges(Protocol):
    """Contacts that are merged or erased. Each method is one transaction."""

    def redirect(self, site_id: int, merge: Merge, *, is_told: bool = True) -> None:
        """Remember a merge; none may lead in a circle.

        One that an event told of replaces one that was only found: asked for an id that was merged
        away, Wix shows the end of the chain and not the next contact in it.
        """

    def merge_distance(self, site_id: int, person: Person) -> MergeDistance | None:
        """Of the contact that a record names, by its id, else by its address.

        ``None`` if nobody knows that contact.
        """

    def links_of(self, site_id: int, contact_id: str) -> list[int]:
        """Links of all contacts that are the same person, before and after merges."""

    def join(self, lease: Lease, into: Lease | None, contact_id: str) -> None:
        """Bring a link to the contact that lives on, under the fences of both links.

        Without ``into`` (it has no link for that entity) the link gets the contact's key. Else all
        moves to that link. Where that has records already, they come as deliveries that tell of
        one record each (their payload says ``merged_from``), and the engine sees which one stays.
        Raises LeaseLost, or Transient if such a link was made just now; then nothing has moved.
        """

    def buried_with(self, link_id: int) -> list[tuple[Side, str]]:
        """Remote ids (in clear) that were on file with a link and are gone."""

    def hint_erasure(self, site_id: int, contact_id: str, inbox_id: int) -> list[int]:
        """Begin the erasure of a contact: from now on nothing is made for it.

        For each of ``links_of`` a delivery asks to erase it. Returns the link ids.
        """

    def erase_contact(self, site_id: int, contact_id: str, inbox_id: int) -> None:
        """After its links: forget the person in mappings and inbox.

        The delivery that asked for it ends with it.
        """
