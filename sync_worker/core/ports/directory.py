"""From a delivery to its rating key: maps of ids, entities and contacts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from typing import Protocol

from sync_worker.core.values import (
    Buried,
    Contact,
    Entity,
    EntityRef,
    Known,
    Located,
    RatingKey,
    Side,
    Value,
)


@dataclass(frozen=True, slots=True)
class RecordsOfEntity:
    """The external records of one rated thing: by id those on file, and ids of shadowed ones."""

    on_file: Mapping[str, Known]
    shadowed: Set[str] = frozenset()


class Directory(Protocol):
    """What leads from a delivery to its key. Each method is one transaction."""

    def locate(self, site_id: int, side: Side, remote_id: str) -> Located: ...

    def values_deleted(
        self, site_id: int, side: Side, remote_id: str
    ) -> Mapping[str, Value | None] | None:
        """What a buried record showed, by attribute, when a delete of ours took it.

        ``None`` if none of ours did.
        """

    def entity(self, site_id: int, side: Side, ref: EntityRef) -> Entity | None:
        """The mapped entity; a product of Wix Reviews by its id, however the map calls it."""

    def is_catalogue_asked(self, site_id: int, hold_key: str) -> bool:
        """Whether both catalogues were read for this name, and had no certain twin for it."""

    def add_entity(self, site_id: int, wix: EntityRef, external: EntityRef) -> Entity:
        """Map an entity; an existing map of the same pair is returned."""

    def contact(
        self, site_id: int, *, contact_id: str | None = None, email: str | None = None
    ) -> Contact | None:
        """The contact with this id or address; after a merge the one that lives on."""

    def save_contact(self, site_id: int, contact: Contact) -> Contact:
        """Remember a contact by its e-mail, unless it is erased.

        The first mapping of an address wins. Returns the contact that has the address.
        """

    def earlier_contact(self, site_id: int, email: str) -> tuple[str, Contact] | None:
        """The contact that an earlier version put on file for an address, and in which form.

        That form may be another person's: earlier versions folded all letters.
        """

    def rewrite_address(self, site_id: int, earlier: str, email: str) -> None:
        """An address on file in an earlier form is from now on what it is, for what waits too."""

    def forget_contact(self, site_id: int, contact_id: str) -> bool:
        """Forget the addresses of a contact that is gone; whether there were any.

        Its links stay.
        """

    def erased_addresses(self, site_id: int, addresses: Collection[str]) -> Set[str]:
        """Those whose owners have asked to be forgotten, and that no contact on file has again."""

    def reopen_set_aside(self, site_id: int, side: Side, remote_id: str) -> RatingKey | None:
        """The link that had this record on file when its site left an API of Wix.

        For a request to forget: one of Wix has to reach the external record, which is on file
        again.
        """

    def return_set_aside(self, key: RatingKey) -> None:
        """A link that is about to be erased has the external record of before on file again.

        Only where its site has left an API of Wix, and no record was found outside since.
        """

    def bury(self, site_id: int, buried: Buried) -> bool:
        """Note that a remote id that no link knows is gone for good.

        False if a link has it on file by now.
        """

    def records_of_entity(self, site_id: int, ref: EntityRef) -> RecordsOfEntity:
        """What is known of the external records of one rated thing."""
