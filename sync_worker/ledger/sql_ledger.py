"""The ledger in SQL, the truth that everything else may lose: the part that opens a run of the
engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

from sqlalchemy import (
    Connection,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from sync_worker.core.errors import Transient
from sync_worker.core.hold_keys import erased_id
from sync_worker.core.ports.inbox import TRACK_AFTER
from sync_worker.core.ports.links import ENGINE_RECHECKS, Attached, LeasedLink
from sync_worker.core.values import Contact, InboxState, IntentState, Lease, RatingKey, Side
from sync_worker.ledger.base import fixed
from sync_worker.ledger.fenced import FencedLedger
from sync_worker.ledger.inbox import OPEN, TAKEN_SECONDS
from sync_worker.ledger.prepared import Prepared, batch
from sync_worker.ledger.rows import parts_of, to_contact, to_delivery, to_entity, to_intent, to_link
from sync_worker.ledger.tables import (
    contact_map,
    contact_redirect,
    entity_map,
    inbox,
    intent,
    link,
    link_value,
    tombstone,
)


class SqlLedger(FencedLedger):
    """Implements ports.Ledger over the tables of ``adapters.tables``."""

    @property
    def inbox(self) -> Self:
        return self

    @property
    def directory(self) -> Self:
        return self

    @property
    def links(self) -> Self:
        return self

    @property
    def merges(self) -> Self:
        return self

    @property
    def sites(self) -> Self:
        return self

    # -- a run

    def attach(self, inbox_id: int, key: RatingKey) -> Attached:
        with self._transactions.write() as connection:
            link_id, row = self._lease_of_key(connection, key)
            mine = {"the_id": inbox_id, "site_id": key.site_id, "link_id": link_id}
            taken = [] if row is None else self._attach_and_take.all(connection, mine)
            if all(
                one.id != inbox_id for one in taken
            ):  # the lease is another run's, or the delivery has ended
                self._attach.run(connection, mine)
            return Attached(link_id, None if row is None else self._run(connection, row, taken))

    def _lease_of_key(self, connection: Connection, key: RatingKey) -> tuple[int, Any]:
        """The link of a key, made if need be, and its row if the lease was free."""
        link_id = self._known_link(connection, key)
        if link_id is None:
            row = self._make_link(connection, key, self._new_leased_link)
            if row is not None:
                return int(row.id), row
            link_id = self._link_of(connection, key)
        row = self._lease.first(connection, {"the_link": link_id})
        return link_id, row or self._lease_that_ends_now(connection, link_id)

    def _lease_that_ends_now(self, connection: Connection, link_id: int) -> Any:
        """The row of a link whose holder was about to release it; ``None`` if it works on.

        Its holder looks for new deliveries as it releases: before our commit it would miss ours,
        which found the lease taken. Under this lock it has committed, or its release waits for us.
        SQLite has one writer at a time anyway.
        """
        if self._is_sqlite:
            return None
        self._lock_link.all(connection, {"the_link": link_id})
        return self._lease.first(connection, {"the_link": link_id})

    @cached_property
    def _lock_link(self) -> Prepared:
        is_it = link.c.id == bindparam("the_link")
        return self._prepared(select(link.c.id).where(is_it).with_for_update(key_share=True))

    def link_of(self, key: RatingKey) -> int:
        with self._transactions.write() as connection:
            return self._link_of(connection, key)

    def _link_of(self, connection: Connection, key: RatingKey) -> int:
        link_id = self._known_link(connection, key)
        if link_id is not None:
            return link_id
        made = self._make_link(connection, key, self._new_link)
        return self._link_of(connection, key) if made is None else int(made.id)

    def _known_link(self, connection: Connection, key: RatingKey) -> int | None:
        which = {
            "the_site": key.site_id,
            "the_entity": key.entity_id,
            "the_contact": key.contact_id,
        }
        link_id: int | None = self._link_of_key.scalar(connection, which)
        return link_id

    def _make_link(self, connection: Connection, key: RatingKey, insert: Prepared) -> Any:
        """Its row; ``None`` if somebody else has made it just now. Raises Transient."""
        row = {"site_id": key.site_id, "entity_id": key.entity_id, "contact_id": key.contact_id}
        with batch(connection):
            graves = self._ask_erased(connection, key.site_id, key.contact_id)
            made = insert.ask(connection, row)
        if graves():
            raise Transient("the contact was erased just now", retry_after=0.0)
        return made.first()

    @cached_property
    def _new_link(self) -> Prepared:
        named = _bound("site_id", "entity_id", "contact_id")
        made = self._insert(link).values(**named, writes=[])
        return self._prepared(made.on_conflict_do_nothing().returning(link.c.id))

    @cached_property
    def _new_leased_link(self) -> Prepared:
        """Nobody else can have the lease of a link that was not there."""
        leased = {"fence": 1, "lease_until": self._in(self._lease_seconds), "writes": []}
        made = self._insert(link).values(**_bound("site_id", "entity_id", "contact_id"), **leased)
        return self._prepared(made.on_conflict_do_nothing().returning(*self._leased))

    @cached_property
    def _link_of_key(self) -> Prepared:
        is_it = (
            (link.c.site_id == bindparam("the_site"))
            & (link.c.entity_id == bindparam("the_entity"))
            & (link.c.contact_id == bindparam("the_contact"))
        )
        return self._prepared(select(link.c.id).where(is_it))

    @cached_property
    def _attach(self) -> Prepared:
        return self._prepared(update(inbox).where(inbox.c.id == bindparam("the_id")))

    def lease(self, link_id: int) -> LeasedLink | None:
        with self._transactions.write() as connection:
            return self._take_lease(connection, link_id)

    def _take_lease(self, connection: Connection, link_id: int) -> LeasedLink | None:
        row = self._lease.first(connection, {"the_link": link_id})
        if row is None:
            return None
        return self._run(connection, row, self._take.all(connection, {"the_link": link_id}))

    @cached_property
    def _lease(self) -> Prepared:
        is_free = (link.c.id == bindparam("the_link")) & (link.c.lease_until <= self._now)
        taken = update(link).where(is_free)
        taken = taken.values(fence=link.c.fence + 1, lease_until=self._in(self._lease_seconds))
        return self._prepared(taken.returning(*self._leased))

    @cached_property
    def _leased(self) -> Any:
        """What is told of a link whose lease was just taken."""
        return (*link.c, self._now.label("now") if self._is_sqlite else self._labelled_now())

    def _labelled_now(self) -> Any:
        return (link.c.lease_until * 0 + self._now).label("now")

    def _run(self, connection: Connection, row: Any, taken: Sequence[Any]) -> LeasedLink:
        deliveries = tuple(sorted(map(to_delivery, taken), key=lambda delivery: delivery.id))
        told = frozenset((one.new.side, one.new.remote_id) for one in deliveries)
        names = [name for of, one in told for name in (one, erased_id(row.site_id, of, one))]
        rows = self._around_link.all(connection, {"the_link": row.id, "the_names": names})
        parts = [parts_of(one, entity_map, link_value, intent, contact_map) for one in rows]
        entity, _, opened, contact = parts[0]
        known = to_contact(contact) if contact is not None else None
        merged_into: str | None = None
        links_to_join: tuple[int, ...] = ()
        if rows[0].is_in_merge:
            known = known or self._known_as(connection, row.site_id, row.contact_id)
            merged_into = self._merged_into(connection, row.site_id, row.contact_id)
            links_to_join = self._kin(connection, row)
        return LeasedLink(
            lease=Lease(row.id, row.fence, row.site_id),
            site=self._site_by_id(connection, row.site_id),
            link=to_link(row, [value for _, value, _, _ in parts if value is not None]),
            entity=to_entity(entity),
            contact=known or Contact(row.contact_id),
            intent=to_intent(opened) if opened is not None else None,
            deliveries=deliveries,
            now=float(row.now),
            unburied=frozenset() if rows[0].is_any_buried else told,
            merged_into=merged_into,
            links_to_join=links_to_join,
        )

    @cached_property
    def _around_link(self) -> Prepared:
        """A row for each value of a link (one if it has none), and beside it what else a run needs
        to know.
        """
        of_contact = contact_map.alias()
        is_theirs = (of_contact.c.site_id == link.c.site_id) & (
            of_contact.c.wix_contact_id == link.c.contact_id
        )
        oldest = select(func.min(of_contact.c.id)).where(is_theirs).scalar_subquery()
        is_open = (intent.c.link_id == link.c.id) & (
            intent.c.state == literal_column(f"'{IntentState.OPEN}'")
        )
        is_on_site = contact_redirect.c.site_id == link.c.site_id
        is_in_merge = exists().where(
            is_on_site, contact_redirect.c.contact_id == link.c.contact_id
        ) | exists().where(is_on_site, contact_redirect.c.target_id == link.c.contact_id)
        around = (
            link.join(entity_map, entity_map.c.id == link.c.entity_id)
            .outerjoin(link_value, link_value.c.link_id == link.c.id)
            .outerjoin(intent, is_open)
            .outerjoin(contact_map, contact_map.c.id == oldest)
        )
        is_grave = (tombstone.c.site_id == link.c.site_id) & tombstone.c.side.in_(fixed(Side))
        is_any_buried = exists().where(is_grave, self._among(tombstone.c.remote_id, "the_names"))
        asked = is_in_merge.label("is_in_merge"), is_any_buried.label("is_any_buried")
        columns = (*entity_map.c, *link_value.c, *intent.c, *contact_map.c, *asked)
        return self._prepared(
            select(*columns).select_from(around).where(link.c.id == bindparam("the_link"))
        )

    @cached_property
    def _take(self) -> Prepared:
        return self._prepared(self._taking.where(inbox.c.link_id == bindparam("the_link")))

    @cached_property
    def _attach_and_take(self) -> Prepared:
        """One delivery, and those of its link."""
        which = or_(inbox.c.id == bindparam("the_id"), inbox.c.link_id == bindparam("link_id"))
        return self._prepared(self._taking.where(which).values(**_bound("site_id", "link_id")))

    @property
    def _taking(self) -> Any:
        is_rechecked = (inbox.c.state == str(InboxState.HELD)) & inbox.c.reason.in_(
            fixed(ENGINE_RECHECKS)
        )
        # Whose workers died has its next attempt further away already.
        then = case(
            (inbox.c.unended > TRACK_AFTER, inbox.c.next_attempt_at), else_=self._in(TAKEN_SECONDS)
        )
        taken = {"state": str(InboxState.TAKEN), "next_attempt_at": then}
        return (
            update(inbox)
            .where(or_(inbox.c.state.in_(fixed(OPEN)), is_rechecked))
            .values(**taken)
            .returning(inbox)
        )


def _bound(*names: str) -> dict[str, Any]:
    """Columns whose values come as parameters of the same names."""
    return {name: bindparam(name) for name in names}
