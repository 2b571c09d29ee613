"""From a delivery to its rating key, in SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from decimal import Decimal

from sqlalchemy import Connection, delete, or_, select, update

from sync_worker.core.errors import Permanent
from sync_worker.core.hold_keys import (
    contact_hold_key,
    email_hold_key,
    email_hold_keys,
)
from sync_worker.core.hold_reasons import FOR_A_CONTACT
from sync_worker.core.ports.directory import RecordsOfEntity
from sync_worker.core.values import (
    Buried,
    Contact,
    Entity,
    EntityRef,
    InboxState,
    Located,
    RatingKey,
    Side,
    Value,
)
from sync_worker.ledger.onboarding.looks import is_asked
from sync_worker.ledger.rows import to_entity, to_external
from sync_worker.ledger.statements import contacts, directory, tombstones
from sync_worker.ledger.statements.inbox import release_deliveries
from sync_worker.ledger.statements.links import known_link
from sync_worker.ledger.statements.set_aside import (
    link_of_record,
    return_external,
    return_externals,
)
from sync_worker.ledger.tables import contact_map, entity_map, inbox, link, site
from sync_worker.ledger.transactions import Transactions, insert_into


class SqlDirectory:
    """Implements ports.Directory."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def locate(self, site_id: int, side: Side, remote_id: str) -> Located:
        with self._transactions.read() as connection:
            return directory.locate(connection, site_id, side, remote_id)

    def values_deleted(
        self, site_id: int, side: Side, remote_id: str
    ) -> Mapping[str, Value | None] | None:
        with self._transactions.read() as connection:
            rows = directory.DELETED.ask(
                connection, site_id=site_id, side=str(side), remote_id=remote_id
            ).all()
        values = dict[str, Value | None]()
        for row in rows:
            values[row.attribute] = None
            if row.before is not None:
                values[row.attribute] = Decimal(row.before)
            elif row.words_before is not None:
                values[row.attribute] = row.words_before
        return values or None

    def reopen_set_aside(self, site_id: int, side: Side, remote_id: str) -> RatingKey | None:
        with self._transactions.write() as connection:
            row = link_of_record(connection, site_id, side, remote_id)
            if row is None:
                return None
            if side is Side.WIX:
                return_external(connection, row)
        return RatingKey(site_id, row.entity_id, row.contact_id)

    def return_set_aside(self, key: RatingKey) -> None:
        with self._transactions.write() as connection:
            link_id = known_link(connection, key)
            if link_id is not None:
                return_externals(connection, [link_id])

    def bury(self, site_id: int, buried: Buried) -> bool:
        ids = {buried.side: [buried.remote_id]}
        with self._transactions.write() as connection:
            tombstones.lock_ids(connection, site_id, ids)
            on_file = directory.ON_FILE[buried.side]
            if on_file.first(connection, site_id=site_id, remote_id=buried.remote_id) is not None:
                # A link has the id on file by now: only its run may bury it.
                return False
            tombstones.bury(connection, site_id, buried, None)
            return True

    # -- rated things

    def entity(self, site_id: int, side: Side, ref: EntityRef) -> Entity | None:
        if side is Side.WIX and ref.is_product:
            return self._product(site_id, ref.entity_id)
        with self._transactions.read() as connection:
            row = directory.ENTITY[side].first(
                connection,
                site_id=site_id,
                namespace=ref.namespace,
                group=ref.group,
                entity_id=ref.entity_id,
            )
        return None if row is None else to_entity(row)

    def _product(self, site_id: int, entity_id: str) -> Entity | None:
        with self._transactions.read() as connection:
            row = directory.PRODUCT.first(connection, site_id=site_id, entity_id=entity_id)
        return None if row is None else to_entity(row)

    def is_catalogue_asked(self, site_id: int, hold_key: str) -> bool:
        with self._transactions.read() as connection:
            return is_asked(connection, site_id, hold_key)

    def add_entity(self, site_id: int, wix: EntityRef, external: EntityRef) -> Entity:
        row = {
            "site_id": site_id,
            "wix_namespace": wix.namespace,
            "wix_group": wix.group,
            "wix_entity_id": wix.entity_id,
            "external_group": external.group,
            "external_entity_id": external.entity_id,
        }
        with self._transactions.write() as connection:
            insert = insert_into(connection, entity_map).values(row)
            connection.execute(insert.on_conflict_do_nothing())
        # Read again: either of the two may have been mapped by another worker or long ago.
        found = self.entity(site_id, Side.WIX, wix)
        if found is None or found.external != external:
            raise Permanent(
                "one of the two entities is mapped to another already",
                reason="entity_mapped_elsewhere",
            )
        return found

    def records_of_entity(self, site_id: int, ref: EntityRef) -> RecordsOfEntity:
        is_it = (
            (link.c.site_id == site_id)
            & (entity_map.c.external_group == ref.group)
            & (entity_map.c.external_entity_id == ref.entity_id)
        )
        of_entity = select(link).join(entity_map, entity_map.c.id == link.c.entity_id).where(is_it)
        with self._transactions.read() as connection:
            rows = connection.execute(of_entity).all()
        on_file = {row.external_id: to_external(row) for row in rows if row.external_id is not None}
        return RecordsOfEntity(on_file, frozenset(shown for row in rows for shown in row.shadowed))

    # -- people

    def contact(
        self, site_id: int, *, contact_id: str | None = None, email: str | None = None
    ) -> Contact | None:
        with self._transactions.read() as connection:
            if email is None:
                return contacts.contact_of(connection, site_id, str(contact_id))
            row = contacts.contact_of_address(connection, site_id, email)
            if row is None:
                return None
            survivor = contacts.surviving_id(connection, site_id, row.wix_contact_id)
            return Contact(survivor, row.email, row.name, row.external_author_id)

    def erased_addresses(self, site_id: int, addresses: Collection[str]) -> Set[str]:
        with self._transactions.read() as connection:
            return contacts.erased_addresses(connection, site_id, addresses)

    def save_contact(self, site_id: int, contact: Contact) -> Contact:
        row = {
            "site_id": site_id,
            "wix_contact_id": contact.contact_id,
            "email": contact.email,
            "name": contact.name,
            "external_author_id": contact.author_id,
        }
        with self._transactions.write() as connection:
            # Erased while we looked for the person: nothing is kept.
            if not contacts.is_erased(connection, site_id, contact.contact_id):
                insert = insert_into(connection, contact_map).values(row)
                new = insert.on_conflict_do_nothing().returning(contact_map.c.id)
                if connection.execute(new).first() is not None:
                    _release_waiting(connection, site_id, contact)
        return self.contact(site_id, email=contact.email) or contact

    def earlier_contact(self, site_id: int, email: str) -> tuple[str, Contact] | None:
        with self._transactions.read() as connection:
            row = contacts.row_of_earlier_form(connection, site_id, email)
        if row is None:
            return None
        found = self.contact(site_id, email=row.email)
        return None if found is None else (row.email, found)

    def rewrite_address(self, site_id: int, earlier: str, email: str) -> None:
        is_on_site = contact_map.c.site_id == site_id
        is_it = is_on_site & (contact_map.c.email == earlier)
        waits = (inbox.c.site_id == site_id) & (inbox.c.hold_key.in_(email_hold_keys(email)))
        with self._transactions.write() as connection:
            known = select(contact_map.c.id).where(is_on_site, contact_map.c.email == email)
            # Another worker may have been quicker.
            if connection.execute(known).first() is None:
                connection.execute(update(contact_map).where(is_it).values(email=email, rule=1))
            is_held = inbox.c.state == str(InboxState.HELD)
            renamed = update(inbox).where(is_held, waits)
            connection.execute(renamed.values(hold_key=email_hold_key(email)))

    def forget_contact(self, site_id: int, contact_id: str) -> bool:
        is_theirs = (contact_map.c.site_id == site_id) & (
            contact_map.c.wix_contact_id == contact_id
        )
        with self._transactions.write() as connection:
            return connection.execute(delete(contact_map).where(is_theirs)).rowcount > 0


def _release_waiting(connection: Connection, site_id: int, contact: Contact) -> None:
    """What waits for a contact that becomes known just now, whichever rating told of it."""
    keys = [contact_hold_key(contact.contact_id), *email_hold_keys(str(contact.email))]
    # The reasons lead to the place in the index.
    is_waiting = (inbox.c.state == str(InboxState.HELD)) & inbox.c.reason.in_(FOR_A_CONTACT)
    is_its = or_(
        *(
            (inbox.c.side == str(side))
            & (inbox.c.source == select(name).where(site.c.id == site_id).scalar_subquery())
            for side, name in (
                (Side.WIX, site.c.instance_id),
                (Side.EXTERNAL, site.c.external_source),
            )
        )
    )
    release_deliveries(connection, is_waiting & inbox.c.hold_key.in_(keys) & is_its)
