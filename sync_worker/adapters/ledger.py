"""The ledger in SQL: the truth that everything else may lose."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from sync_worker.adapters.ledger_inbox import OPEN
from sync_worker.adapters.ledger_people import PeopleLedger
from sync_worker.adapters.ledger_rows import (
    from_base,
    from_external,
    from_history,
    from_intent,
    from_wix,
    to_buried,
    to_delivery,
    to_entity,
    to_intent,
    to_link,
)
from sync_worker.adapters.tables import (
    entity_map,
    history,
    inbox,
    intent,
    link,
    link_value,
    tombstone,
)
from sync_worker.errors import Permanent, Transient
from sync_worker.model import (
    Contact,
    Entity,
    EntityRef,
    InboxState,
    Intent,
    IntentState,
    Lease,
    LinkState,
    RatingKey,
    Side,
)
from sync_worker.ports import ENGINE_RECHECKS, ERASED, Closing, Commit, Committed, Located, Run

TAKEN_SECONDS = 20.0  # after that the sweeper takes a dead worker's deliveries up: well within 30 s
HOUR_SECONDS = 3600.0
BRAKE_LEAST = 20
BRAKE_SHARE = 0.05
CLOSABLE = (*OPEN, str(InboxState.HELD))


class SqlLedger(PeopleLedger):
    """Implements ports.Ledger over the tables of ``adapters.tables``."""

    # -- from a delivery to its key

    def locate(self, site_id: int, side: Side, remote_id: str) -> Located:
        with self._transactions.read() as connection:
            row = connection.execute(self._on_file(site_id, side, remote_id)).first()
            if row is not None:
                return Located(RatingKey(site_id, row.entity_id, row.contact_id), is_on_file=True)
            grave = connection.execute(
                select(tombstone, link.c.entity_id, link.c.contact_id)
                .outerjoin(link, link.c.id == tombstone.c.link_id)
                .where(self._is_grave(site_id, side, [remote_id]))
            ).first()
        if grave is None:
            return Located()
        key = RatingKey(site_id, grave.entity_id, grave.contact_id) if grave.entity_id is not None else None
        return Located(key, to_buried(side, remote_id, grave))

    def _on_file(self, site_id: int, side: Side, remote_id: str) -> Any:
        found = select(link.c.entity_id, link.c.contact_id)
        if side is Side.EXTERNAL:
            return found.where(link.c.site_id == site_id, link.c.external_id == remote_id)
        by_wix_id = (link_value.c.site_id == site_id) & (link_value.c.wix_id == remote_id)
        return found.join(link_value, link_value.c.link_id == link.c.id).where(by_wix_id)

    def entity(self, site_id: int, side: Side, ref: EntityRef) -> Entity | None:
        if side is Side.WIX:
            named = and_(
                entity_map.c.wix_namespace == ref.namespace,
                entity_map.c.wix_group == ref.group,
                entity_map.c.wix_entity_id == ref.entity_id,
            )
        else:
            named = and_(entity_map.c.external_group == ref.group, entity_map.c.external_entity_id == ref.entity_id)
        with self._transactions.read() as connection:
            row = connection.execute(select(entity_map).where(entity_map.c.site_id == site_id, named)).first()
        return None if row is None else to_entity(row)

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
            raise Permanent("one of the two entities is mapped to another already", reason="entity_mapped_elsewhere")
        return found

    # -- a run

    def attach(self, inbox_id: int, key: RatingKey) -> int:
        row = {"site_id": key.site_id, "entity_id": key.entity_id, "contact_id": key.contact_id, "writes": []}
        mine = select(link.c.id).where(
            link.c.site_id == key.site_id, link.c.entity_id == key.entity_id, link.c.contact_id == key.contact_id
        )
        with self._transactions.write() as connection:
            link_id = connection.execute(mine).scalar()
            if link_id is None:
                if self._is_erased(connection, key.site_id, key.contact_id):
                    raise Transient("the contact was erased just now", retry_after=0.0)
                connection.execute(self._insert(link).values(row).on_conflict_do_nothing())
                link_id = connection.execute(mine).scalar_one()
            attached = update(inbox).where(inbox.c.id == inbox_id).values(link_id=link_id, site_id=key.site_id)
            connection.execute(attached)
        return int(link_id)

    def lease(self, link_id: int) -> Run | None:
        with self._transactions.write() as connection:
            free = (link.c.id == link_id) & (link.c.lease_until <= self._now)
            row = connection.execute(
                update(link)
                .where(free)
                .values(fence=link.c.fence + 1, lease_until=self._in(self._lease_seconds))
                .returning(link, self._now.label("now") if self._is_sqlite else self._labelled_now())
            ).first()
            if row is None:
                return None
            return self._run(connection, row)

    def _labelled_now(self) -> Any:
        return (link.c.lease_until * 0 + self._now).label("now")

    def _run(self, connection: Connection, row: Any) -> Run:
        values = connection.execute(select(link_value).where(link_value.c.link_id == row.id)).all()
        is_open = (intent.c.link_id == row.id) & (intent.c.state == str(IntentState.OPEN))
        opened = connection.execute(select(intent).where(is_open)).first()
        entity = connection.execute(select(entity_map).where(entity_map.c.id == row.entity_id)).one()
        rechecked = (inbox.c.state == str(InboxState.HELD)) & inbox.c.reason.in_(ENGINE_RECHECKS)
        taken = connection.execute(
            update(inbox)
            .where(inbox.c.link_id == row.id, or_(inbox.c.state.in_(OPEN), rechecked))
            .values(state=str(InboxState.TAKEN), next_attempt_at=self._in(TAKEN_SECONDS))
            .returning(inbox)
        ).all()
        return Run(
            lease=Lease(row.id, row.fence),
            site=self._site_by_id(connection, row.site_id),
            link=to_link(row, values),
            entity=to_entity(entity),
            contact=self._known_as(connection, row.site_id, row.contact_id) or Contact(row.contact_id),
            intent=to_intent(opened) if opened is not None else None,
            deliveries=tuple(sorted(map(to_delivery, taken), key=lambda delivery: delivery.id)),
            now=float(row.now),
            merged_into=self._merged_into(connection, row.site_id, row.contact_id),
            kin=self._kin(connection, row),
        )

    def renew(self, lease: Lease) -> None:
        with self._transactions.write() as connection:
            self._touch(connection, lease, {"lease_until": self._in(self._lease_seconds)})

    def open_intent(self, lease: Lease, intent_: Intent) -> None:
        with self._transactions.write() as connection:
            self._touch(connection, lease, {"lease_until": self._in(self._lease_seconds)})
            site_id = select(link.c.site_id).where(link.c.id == lease.link_id).scalar_subquery()
            row = {**from_intent(intent_), "link_id": lease.link_id, "site_id": site_id, "created_at": self._now}
            connection.execute(intent.insert().values(row))

    def commit(self, lease: Lease, change: Commit) -> Committed:
        try:
            with self._transactions.write() as connection:
                site_id = connection.execute(select(link.c.site_id).where(link.c.id == lease.link_id)).scalar_one()
                buried = self._buried_meanwhile(connection, site_id, change)
                change = change.without(buried)
                self._commit_link(connection, lease, change)
                self._commit_values(connection, lease.link_id, site_id, change)
                self._commit_graves(connection, lease.link_id, site_id, change)
                self._commit_story(connection, lease.link_id, site_id, change)
                if change.erases:
                    self._erase_link(connection, site_id, lease.link_id, change)
                return Committed(buried)
        except IntegrityError as error:
            raise Permanent("another link has this record on file", reason="id_linked_elsewhere") from error

    def _commit_link(self, connection: Connection, lease: Lease, change: Commit) -> None:
        values: dict[str, Any] = {"generation": link.c.generation + int(change.new_generation)}
        for slot, known in change.records.items():
            if slot.side is Side.EXTERNAL:
                values |= from_external(known)
        if change.link_state is not None:
            values["state"] = str(change.link_state)
        if change.release:
            values["lease_until"] = 0.0
        if change.counts_write:
            row = connection.execute(
                select(link.c.writes, self._labelled_now()).where(link.c.id == lease.link_id)
            ).one()
            recent = [float(at) for at in row.writes if float(at) > row.now - HOUR_SECONDS]
            values["writes"] = [*recent, row.now]
        self._touch(connection, lease, values)

    def _commit_values(self, connection: Connection, link_id: int, site_id: int, change: Commit) -> None:
        rows: dict[str, dict[str, Any]] = {name: from_base(base) for name, base in change.bases.items()}
        for slot, known in change.records.items():
            if slot.side is Side.WIX:
                rows.setdefault(slot.attribute, {}).update(from_wix(known))
        for attribute, values in rows.items():
            key = {"link_id": link_id, "attribute": attribute, "site_id": site_id}
            connection.execute(
                self._insert(link_value)
                .values(key | values)
                .on_conflict_do_update(index_elements=["link_id", "attribute"], set_=values)
            )

    def _commit_graves(self, connection: Connection, link_id: int, site_id: int, change: Commit) -> None:
        for grave in change.buried:
            self._bury(connection, site_id, grave, link_id)
        for grave in change.revived:
            is_same = self._is_grave(site_id, grave.side, [grave.remote_id])
            for name in ("revision", "sequence", "privacy"):
                is_same &= tombstone.c[name].is_not_distinct_from(getattr(grave, name))
            connection.execute(tombstone.delete().where(is_same))

    def _commit_story(self, connection: Connection, link_id: int, site_id: int, change: Commit) -> None:
        """The intent's end, the history, and how the deliveries ended."""
        if change.intent_state is not None:
            is_open = (intent.c.link_id == link_id) & (intent.c.state == str(IntentState.OPEN))
            closed = {"state": str(change.intent_state), "closed_at": self._now}
            connection.execute(update(intent).where(is_open).values(**closed))
        if change.history:
            fixed = {"site_id": site_id, "link_id": link_id, "at": self._now}
            rows = [fixed | from_history(entry) for entry in change.history]
            connection.execute(history.insert().values(rows))
        by_closing: dict[Closing, list[int]] = {}
        for inbox_id, closing in change.closings.items():
            by_closing.setdefault(closing, []).append(inbox_id)
        for closing, inbox_ids in by_closing.items():
            connection.execute(self._closing(inbox_ids, closing, states=CLOSABLE))
            if closing == ERASED:
                self._erase_rows(connection, site_id, inbox.c.id.in_(inbox_ids))

    def _buried_meanwhile(self, connection: Connection, site_id: int, change: Commit) -> frozenset[str]:
        """Of the ids that come on file, those with a grave that this step does not open."""
        found: set[str] = set()
        for side in Side:
            ids = sorted(known.remote_id for slot, known in change.records.items() if known and slot.side is side)
            if ids:
                self._lock_ids(connection, site_id, side, ids)
                graves = self._graves(connection, site_id, side, ids)
                found |= {grave.remote_id for grave in graves if change.is_dead(grave)}
        return frozenset(found)

    def release(self, lease: Lease) -> None:
        with self._transactions.write() as connection:
            is_ours = (link.c.id == lease.link_id) & (link.c.fence == lease.fence)
            connection.execute(update(link).where(is_ours).values(lease_until=0.0))

    def fresh(self, link_id: int) -> list[int]:
        waits = (inbox.c.reason != "") & (inbox.c.next_attempt_at > self._now)
        is_new = (inbox.c.link_id == link_id) & (inbox.c.state == str(InboxState.NEW))
        with self._transactions.read() as connection:
            return list(connection.execute(select(inbox.c.id).where(is_new, ~waits).order_by(inbox.c.id)).scalars())

    def deletes_exceeded(self, site_id: int, side: Side) -> bool:
        recent = (history.c.site_id == site_id) & (history.c.side == str(side)) & (history.c.what == "delete")
        with self._transactions.read() as connection:
            count = select(func.count()).select_from(history)
            deletes = connection.execute(count.where(recent, history.c.at > self._in(-HOUR_SECONDS))).scalar_one()
            if deletes < BRAKE_LEAST:
                return False
            is_live = (link.c.site_id == site_id) & (link.c.state == str(LinkState.LIVE))
            live = connection.execute(select(func.count()).select_from(link).where(is_live)).scalar_one()
        return bool(deletes >= max(BRAKE_LEAST, live * BRAKE_SHARE))
