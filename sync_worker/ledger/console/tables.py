"""The table of what deliveries without a link are found by, and the indexes of the search.

None of them is written to on the way of a delivery that comes to its link and ends as usual, but
for what a new link and its history cost.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Index, String, Table, func, text

from sync_worker.ledger.tables import (
    RowId,
    contact_map,
    entity_map,
    history,
    inbox,
    link,
    link_value,
    metadata,
    partial_index,
    tombstone,
)

# Of one delivery: what its record showed. It goes with the content of the delivery.
unlinked = Table(
    "unlinked",
    metadata,
    Column(
        "inbox_id",
        RowId,
        ForeignKey("inbox.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("site_id", RowId, ForeignKey("site.id"), nullable=False),
    Column("email_key", String(80)),  # hashed: core/hold_keys
    Column("person_id", String(64)),
    Column("name", String(256)),
    Column("name_key", String(256)),  # its letters folded
    Column("entity_id", String(256)),
    Index("ix_unlinked_email_key", "email_key"),
    Index("ix_unlinked_person_id", "person_id"),
    Index("ix_unlinked_name_key", "name_key", postgresql_ops={"name_key": "text_pattern_ops"}),
    Index("ix_unlinked_entity_id", "entity_id", postgresql_ops={"entity_id": "text_pattern_ops"}),
    Index("ix_unlinked_site_id", "site_id"),
)


def _start_index(name: str, column: Column[Any], where: Any = None) -> None:
    """Finds the whole text and its start, whatever the collation of the database."""
    ops = {column.name: "text_pattern_ops"}
    Index(name, column, postgresql_ops=ops, sqlite_where=where, postgresql_where=where)


def _folded_start_index(name: str, column: Column[Any]) -> None:
    """The same without regard to case. A ledger of SQLite is small enough to be looked through."""
    start = func.lower(column).label("folded")
    index = Index(name, start, postgresql_ops={"folded": "text_pattern_ops"})
    index.ddl_if(dialect="postgresql")


_start_index("ix_link_external_id", link.c.external_id)
_start_index("ix_link_value_wix_id", link_value.c.wix_id)
_start_index("ix_tombstone_remote_id", tombstone.c.remote_id, text("NOT privacy"))
_start_index("ix_entity_map_wix_start", entity_map.c.wix_entity_id)
_start_index("ix_entity_map_external_start", entity_map.c.external_entity_id)
_folded_start_index("ix_entity_map_title", entity_map.c.title)
Index("ix_contact_map_email", contact_map.c.email)
Index("ix_contact_map_wix_contact_id", contact_map.c.wix_contact_id)
Index("ix_contact_map_external_author_id", contact_map.c.external_author_id)
_folded_start_index("ix_contact_map_name", contact_map.c.name)
# What came to rest without a link. A delivery on its usual way is never in it.
_start_index(
    "ix_inbox_unlinked", inbox.c.remote_id, text("link_id IS NULL AND state IN ('held', 'done')")
)
# Ratings of which something is held, newest first.
partial_index("ix_inbox_held_link", text("state = 'held' AND link_id IS NOT NULL"), inbox.c.link_id)
partial_index("ix_link_not_live", text("state <> 'live'"), link.c.id)
# Held ones by the end of what they wait for, whatever stands before it. SQLite reads no text
# backwards.
_backwards = func.reverse(inbox.c.hold_key).label("backwards")
_held = text("state = 'held'")
Index(
    "ix_inbox_held_ends",
    _backwards,
    postgresql_ops={"backwards": "text_pattern_ops"},
    postgresql_where=_held,
).ddl_if(dialect="postgresql")
# What happened to a record that belongs to no rating.
partial_index("ix_history_unlinked", text("link_id IS NULL"), history.c.remote_id)
# What happened on a site, newest first.
Index("ix_history_site", history.c.site_id, history.c.id)
