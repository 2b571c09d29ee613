"""The ledger in SQL: the part that leads from a delivery to its key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from sqlalchemy import and_, bindparam, desc, literal, null, select, type_coerce, union_all

from sync_worker.core.errors import Permanent
from sync_worker.core.hold_keys import erased_id
from sync_worker.core.ports.directory import Located, RecordsOfEntity
from sync_worker.core.values import Buried, Entity, EntityRef, RatingKey, Side
from sync_worker.ledger.prepared import Prepared
from sync_worker.ledger.rows import to_buried, to_entity, to_external
from sync_worker.ledger.tables import contact_map, entity_map, link, link_value, tombstone
from sync_worker.ledger.tombstones import GraveLedger


class KeyLedger(GraveLedger):
    """Implements the part of ports.Ledger that finds keys."""

    def locate(self, site_id: int, side: Side, remote_id: str) -> Located:
        which: dict[str, Any] = {
            "the_site": site_id,
            "the_side": str(side),
            "the_remote_id": remote_id,
        }
        which["the_erased_id"] = erased_id(site_id, side, remote_id)
        with self._transactions.read() as connection:
            row = self._located[side].first(connection, which)
        if row is None:
            return Located()
        key = (
            RatingKey(site_id, row.entity_id, row.contact_id) if row.entity_id is not None else None
        )
        return (
            Located(key, is_on_file=True)
            if row.is_on_file
            else Located(key, to_buried(side, remote_id, row))
        )

    @cached_property
    def _located(self) -> Mapping[Side, Prepared]:
        """The link that has an id on file, else its grave."""
        is_same = (
            (tombstone.c.site_id == bindparam("the_site"))
            & (tombstone.c.side == bindparam("the_side"))
            & tombstone.c.remote_id.in_([bindparam("the_remote_id"), bindparam("the_erased_id")])
        )
        numbers = tombstone.c.revision, tombstone.c.sequence, tombstone.c.privacy
        known = [type_coerce(null(), number.type).label(number.name) for number in numbers]
        grave = select(
            link.c.entity_id, link.c.contact_id, *numbers, literal(0).label("is_on_file")
        ).select_from(tombstone.outerjoin(link, link.c.id == tombstone.c.link_id))
        return {
            side: self._prepared(
                union_all(
                    on_file.add_columns(*known, literal(1).label("is_on_file")),
                    grave.where(is_same),
                )
                .order_by(desc("is_on_file"))
                .limit(1)
            )
            for side, on_file in self._on_file.items()
        }

    @cached_property
    def _on_file(self) -> Mapping[Side, Any]:
        found = select(link.c.entity_id, link.c.contact_id)
        external = (link.c.site_id == bindparam("the_site")) & (
            link.c.external_id == bindparam("the_remote_id")
        )
        wix = (link_value.c.site_id == bindparam("the_site")) & (
            link_value.c.wix_id == bindparam("the_remote_id")
        )
        joined = found.join(link_value, link_value.c.link_id == link.c.id)
        return {Side.EXTERNAL: found.where(external), Side.WIX: joined.where(wix)}

    def bury(self, site_id: int, buried: Buried) -> bool:
        on_file = {"the_site": site_id, "the_remote_id": buried.remote_id}
        with self._transactions.write() as connection:
            self._lock_ids(connection, site_id, {buried.side: [buried.remote_id]})
            if connection.execute(self._on_file[buried.side], on_file).first() is not None:
                return False
            self._bury(connection, site_id, buried, None)
            return True

    def entity(self, site_id: int, side: Side, ref: EntityRef) -> Entity | None:
        named = {
            "the_site": site_id,
            "the_namespace": ref.namespace,
            "the_group": ref.group,
            "the_id": ref.entity_id,
        }
        with self._transactions.read() as connection:
            row = self._entity_named[side].first(connection, named)
        return None if row is None else to_entity(row)

    @cached_property
    def _entity_named(self) -> Mapping[Side, Prepared]:
        found = select(entity_map).where(entity_map.c.site_id == bindparam("the_site"))
        group: Any = bindparam("the_group")
        entity_id: Any = bindparam("the_id")
        wix = found.where(
            entity_map.c.wix_namespace == bindparam("the_namespace"),
            entity_map.c.wix_group == group,
            entity_map.c.wix_entity_id == entity_id,
        )
        external = found.where(
            entity_map.c.external_group == group, entity_map.c.external_entity_id == entity_id
        )
        return {Side.WIX: self._prepared(wix), Side.EXTERNAL: self._prepared(external)}

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
            connection.execute(self._insert(entity_map).values(row).on_conflict_do_nothing())
        found = self.entity(site_id, Side.WIX, wix)
        if found is None or found.external != external:
            raise Permanent(
                "one of the two entities is mapped to another already",
                reason="entity_mapped_elsewhere",
            )
        return found

    @cached_property
    def _contact_by(self) -> Mapping[str, Prepared]:
        is_it = {
            name: contact_map.c[name] == bindparam("the_value")
            for name in ("email", "wix_contact_id")
        }
        return {
            name: self._prepared(self._oldest_contact.where(which)) for name, which in is_it.items()
        }

    @cached_property
    def _contact_among(self) -> Prepared:
        return self._prepared(
            self._oldest_contact.where(self._among(contact_map.c.wix_contact_id, "the_ids"))
        )

    @property
    def _oldest_contact(self) -> Any:
        found = select(contact_map).where(contact_map.c.site_id == bindparam("the_site"))
        return found.order_by(contact_map.c.id).limit(1)

    def records_of_entity(self, site_id: int, ref: EntityRef) -> RecordsOfEntity:
        named = and_(
            entity_map.c.external_group == ref.group,
            entity_map.c.external_entity_id == ref.entity_id,
        )
        of_entity = select(link).join(entity_map, entity_map.c.id == link.c.entity_id)
        with self._transactions.read() as connection:
            rows = connection.execute(of_entity.where(link.c.site_id == site_id, named)).all()
        on_file = {row.external_id: to_external(row) for row in rows if row.external_id is not None}
        return RecordsOfEntity(on_file, frozenset(one for row in rows for one in row.shadowed))
