"""Links with their values and open intents, under the fence of a lease.

Tables ``link``, ``link_value`` and ``intent``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, func, select

from sync_worker.core.errors import LeaseLost, Transient
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import Lease, Link, LinkState, RatingKey, Side
from sync_worker.core.values.texts import WORDS_VERSION
from sync_worker.ledger.rows import (
    from_base,
    from_external,
    from_wix,
    to_link,
)
from sync_worker.ledger.sql_text import Answer, SqlText, batch, columns_of
from sync_worker.ledger.statements.contacts import ask_erased, ids_of_contact
from sync_worker.ledger.statements.history import add_history
from sync_worker.ledger.statements.inbox import CLOSE_UNENDED, close_rows
from sync_worker.ledger.statements.words import from_words
from sync_worker.ledger.tables import link, link_value, site
from sync_worker.ledger.transactions import ledger_now

# The delete brake: max(20, 5 % of the live links) to a side within an hour.
MIN_BRAKE = 20
BRAKE_SHARE = 0.05

OF_KEY = SqlText("""
-- link.of_key: the link of a rating key
SELECT id FROM link
WHERE site_id = :site_id AND entity_id = :entity_id AND contact_id = :contact_id
""")

EXTERNAL_ID = SqlText("""
-- link.external_id: the external record that the link of a rating key has on file
SELECT external_id FROM link
WHERE site_id = :site_id AND entity_id = :entity_id AND contact_id = :contact_id
""")

NEW = SqlText("""
-- link.new: somebody else may make it in the same moment; then there is no row
INSERT INTO link (site_id, entity_id, contact_id, state, generation, fence, lease_until, writes,
  shadowed)
VALUES (:site_id, :entity_id, :contact_id, 'live', 0, 0, 0, '[]', '[]')
ON CONFLICT DO NOTHING RETURNING id
""")

NEW_LEASED = SqlText(f"""
-- link.new_leased: nobody else can have the lease of a link that was not there
INSERT INTO link (site_id, entity_id, contact_id, state, generation, fence, lease_until, writes,
  shadowed)
VALUES (:site_id, :entity_id, :contact_id, 'live', 0, 1,
  ledger_now() + :lease_seconds::float8, '[]', '[]')
ON CONFLICT DO NOTHING RETURNING {columns_of(link)}, ledger_now() AS now
""")

TAKE_LEASE = SqlText(f"""
-- link.take_lease: if it is free; the new fence shuts out every earlier holder
UPDATE link SET fence = fence + 1, lease_until = ledger_now() + :lease_seconds::float8
WHERE id = :link_id AND lease_until <= ledger_now()
RETURNING {columns_of(link)}, ledger_now() AS now
""")

LOCK = SqlText("""
-- link.lock: waits for a holder that is about to release the lease (PostgreSQL only)
SELECT id FROM link WHERE id = :link_id FOR NO KEY UPDATE
""")

RENEW = SqlText("""
-- link.renew: changes one row, or the lease is lost
UPDATE link SET lease_until = ledger_now() + :lease_seconds::float8
WHERE id = :link_id AND fence = :fence AND lease_until > ledger_now()
""")

RELEASE = SqlText("""
-- link.release: if it is still ours
UPDATE link SET lease_until = 0 WHERE id = :link_id AND fence = :fence
""")

END_INTENT = SqlText("""
-- intent.end: the one that is open
UPDATE intent SET state = :state, closed_at = ledger_now()
WHERE link_id = :link_id AND state = 'open'
""")


# A step changes few sets of columns: each has its own text, kept for the life of the process.
@cache
def change_under_fence(names: tuple[str, ...]) -> SqlText:
    """An update of these columns of a link."""
    changed = "".join(f", {name} = :{name}" for name in names)
    return SqlText(f"""
-- link.change_under_fence: changes one row, or the lease is lost and the transaction with it
UPDATE link SET generation = generation + :more_generations{changed}
WHERE id = :link_id AND fence = :fence AND lease_until > ledger_now()
""")


@cache
def change_or_refuse(names: tuple[str, ...]) -> SqlText:
    """The same at the head of a batch that goes on without waiting for its answer.

    Where the lease is lost, or one of ``:names`` lies buried, it changes no row, and on PostgreSQL
    it ends the batch by a division by zero (``Refused``).
    """
    changed = "".join(f", {name} = :{name}" for name in names)
    change = f"""
UPDATE link SET generation = generation + :more_generations{changed}
WHERE id = :link_id AND fence = :fence AND lease_until > ledger_now()
  AND NOT EXISTS (SELECT 1 FROM tombstone WHERE tombstone.site_id = :site_id
    AND tombstone.side IN ('wix', 'external')
    AND tombstone.remote_id = ANY(:names::varchar[]))
"""
    return SqlText(
        f"""
-- link.change_or_refuse: one row, or none of the batch
WITH changed AS ({change} RETURNING id) SELECT 1 / count(*) AS changed FROM changed
""",
        sqlite=change,
    )


@cache
def store_value(names: tuple[str, ...]) -> SqlText:
    """These columns of a link's value; a row that is there keeps the others."""
    columns, values = ", ".join(names), ", ".join(f":{name}" for name in names)
    changed = ", ".join(f"{name} = excluded.{name}" for name in names)
    return SqlText(f"""
-- link_value.store: one attribute of a link, the Wix record on file or the base, or both
INSERT INTO link_value (link_id, attribute, site_id, {columns})
VALUES (:link_id, :attribute, :site_id, {values})
ON CONFLICT (link_id, attribute) DO UPDATE SET {changed}
""")


def link_of_key(connection: Connection, key: RatingKey) -> int:
    """The link of a key, made if need be. Raises Transient if the contact was erased just now."""
    link_id = known_link(connection, key)
    if link_id is not None:
        return link_id
    # None: another worker has made it just now, so it can be read.
    made = make_link(connection, key)
    return link_of_key(connection, key) if made is None else int(made.id)


def known_link(connection: Connection, key: RatingKey) -> int | None:
    """The link of a key, if there is one."""
    link_id: int | None = OF_KEY.scalar(
        connection, site_id=key.site_id, entity_id=key.entity_id, contact_id=key.contact_id
    )
    return link_id


def external_id(connection: Connection, key: RatingKey) -> str | None:
    """The external record that the link of a key has on file, if any."""
    found: str | None = EXTERNAL_ID.scalar(
        connection, site_id=key.site_id, entity_id=key.entity_id, contact_id=key.contact_id
    )
    return found


def make_link(connection: Connection, key: RatingKey, text: SqlText = NEW, **more: Any) -> Any:
    """Its row; ``None`` if somebody else has made it just now.

    Raises Transient if the contact was erased just now.
    """
    with batch(connection):
        # Asked under the contact's lock: an erasure shows here, or waits for this link.
        tombstones = ask_erased(connection, key.site_id, key.contact_id)
        made = text.ask(
            connection,
            site_id=key.site_id,
            entity_id=key.entity_id,
            contact_id=key.contact_id,
            **more,
        )
    if tombstones():
        raise Transient("the contact was erased just now", retry_after=0.0)
    return made.first()


def links_to_join(connection: Connection, key: RatingKey) -> tuple[int, ...]:
    """Links for the key's entity of contacts that were merged into its own, and are still apart."""
    merged = ids_of_contact(connection, key.site_id, key.contact_id)[1:]
    if not merged:
        return ()
    is_for_entity = (link.c.site_id == key.site_id) & (link.c.entity_id == key.entity_id)
    is_apart = link.c.contact_id.in_(merged) & (link.c.state != str(LinkState.BURIED))
    found = select(link.c.id).where(is_for_entity, is_apart).order_by(link.c.id)
    return tuple(connection.execute(found).scalars())


def read_link(connection: Connection, link_id: int) -> Link:
    """A link with its values."""
    row = connection.execute(select(link).where(link.c.id == link_id)).one()
    values = connection.execute(select(link_value).where(link_value.c.link_id == link_id)).all()
    return to_link(row, values)


def check(changed: Answer) -> None:
    """Raises LeaseLost, and ends the transaction, unless the statement under the fence did its row.

    Not to be asked within a batch.
    """
    if changed.count != 1:
        raise LeaseLost


def store_values(connection: Connection, lease: Lease, change: Commit) -> None:
    """Bases and Wix records of a step, by attribute."""
    rows: dict[str, dict[str, Any]] = {
        attribute: from_base(base)
        for attribute, base in change.bases.items()
        # Words stand in the row of the link.
        if base.version != WORDS_VERSION
    }
    for slot, known in change.records.items():
        if slot.side is Side.WIX:
            # A base and a Wix record of one attribute share a row.
            rows.setdefault(slot.attribute, {}).update(from_wix(known))
    for attribute, values in rows.items():
        store_value(tuple(values)).ask(
            connection,
            link_id=lease.link_id,
            attribute=attribute,
            site_id=lease.site_id,
            **values,
        )


def store_history(connection: Connection, lease: Lease, change: Commit) -> None:
    """The end of the intent, the history lines, and how the deliveries ended."""
    if change.intent_state is not None:
        END_INTENT.ask(connection, link_id=lease.link_id, state=str(change.intent_state))
    for entry in change.history:
        add_history(connection, lease.site_id, lease.link_id, entry)
    for closing, inbox_ids in by_closing(change.closings).items():
        # A held delivery that this run has settled ends, too.
        close_rows(connection, inbox_ids, closing, text=CLOSE_UNENDED)


def ids_of(fresh: Answer | None) -> Sequence[int]:
    """The new deliveries of a link, where they were asked for."""
    return () if fresh is None else [row.id for row in fresh.all()]


def by_closing(closings: Mapping[int, Closing]) -> dict[Closing, list[int]]:
    """Inbox ids by how they end."""
    grouped: dict[Closing, list[int]] = {}
    for inbox_id, closing in closings.items():
        grouped.setdefault(closing, []).append(inbox_id)
    return grouped


def links_of_contact(connection: Connection, site_id: int, ids: Sequence[str]) -> list[int]:
    """Links of these contact ids."""
    is_theirs = (link.c.site_id == site_id) & link.c.contact_id.in_(ids)
    return list(
        connection.execute(select(link.c.id).where(is_theirs).order_by(link.c.id)).scalars()
    )


def max_deletes(connection: Connection, site_id: int, deletes: int) -> float:
    """Where the brake grips: max(20, 5 % of the live links), or above what a person has allowed.

    ``deletes``: of the links no more are counted than it takes to let so many pass, since a large
    site has a million.
    """
    is_live = (link.c.site_id == site_id) & (link.c.state == str(LinkState.LIVE))
    enough = select(link.c.id).where(is_live).limit(int((deletes + 1) / BRAKE_SHARE)).subquery()
    live = connection.execute(select(func.count()).select_from(enough)).scalar_one()
    allowed = select(site.c.deletes_allowed).where(
        site.c.id == site_id, site.c.deletes_allowed_until > ledger_now()
    )
    return max(MIN_BRAKE, live * BRAKE_SHARE, connection.execute(allowed).scalar() or 0)


def changed_columns(connection: Connection, lease: Lease, change: Commit) -> dict[str, Any]:
    """The columns of the link that a step changes, with their values."""
    values: dict[str, Any] = {}
    for slot, known in change.records.items():
        if slot.side is Side.EXTERNAL:
            values |= from_external(known)
    for attribute, base in change.bases.items():
        if base.version == WORDS_VERSION:
            values |= from_words(attribute, base)
    if change.link_state is not None:
        values["state"] = str(change.link_state)
    if change.release:
        values["lease_until"] = 0.0
    if change.shadowed:
        # Reading before writing is safe here: only the holder of the lease changes this column.
        of_link = select(link.c.shadowed).where(link.c.id == lease.link_id)
        before = connection.execute(of_link).scalar_one()
        values["shadowed"] = sorted({*before, *change.shadowed})
    if change.writes:
        values["writes"] = list(change.writes)
    return values
