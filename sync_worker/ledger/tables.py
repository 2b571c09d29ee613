"""The tables of the ledger, for SQLite and PostgreSQL alike.

Times are the database's own, in seconds since 1970 (UTC). Rating values are decimal text: exact on
both databases.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    UniqueConstraint,
    false,
    text,
)

from sync_worker.ledger.column_types import ExactJSON

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives row ids only to INTEGER keys; PostgreSQL wants 64 bits for rows without end.
RowId = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", RowId, primary_key=True, autoincrement=True)


def partial_index(
    name: str, where: TextClause, *columns: Column[Any], unique: bool = False
) -> None:
    """An index over some rows of a table."""
    Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _columns(of_type: Any, *names: str) -> list[Column[Any]]:
    return [Column(name, of_type) for name in names]


def _site(nullable: bool = False) -> Column[int]:
    return Column("site_id", RowId, ForeignKey("site.id"), nullable=nullable)


site = Table(
    "site",
    metadata,
    _id(),
    Column("instance_id", String(64), nullable=False, unique=True),
    Column("connector", String(64), nullable=False),  # the code of its external system
    # The source of its external deliveries: its connector, or one account of it. NULL: none yet.
    Column("external_source", String(128), unique=True),
    Column("policy", ExactJSON, nullable=False, default=dict),  # what differs from the defaults
    Column("state", String(16), nullable=False, default="active"),
    Column("created_at", Float, nullable=False),
    Column("lifecycle_at", Float),  # Wix's time of the newest installation or removal
    Column("removed_at", Float),  # since when it rests as removed
    Column("sweep_since", Float),  # until when nobody told what happened there: sweep after it
    # So many within an hour, to a side.
    Column("deletes_allowed", Integer, nullable=False, default=0, server_default="0"),
    Column("deletes_allowed_until", Float, nullable=False, default=0, server_default="0"),
    # In which API of Wix its ratings are.
    Column("wix_api", String(16), nullable=False, default="ratings", server_default="ratings"),
    Column("wix_api_since", Float),  # when it changed to it: what was compared before says nothing
    Column("other_fields", ExactJSON),  # the fields that it maps in the other API, by its name
    Column("wix_learned", ExactJSON),  # what a probe found out of Wix Reviews there
)

entity_map = Table(
    "entity_map",
    metadata,
    _id(),
    _site(),
    Column("wix_namespace", String(64), nullable=False),
    Column("wix_group", String(128), nullable=False),
    Column("wix_entity_id", String(256), nullable=False),
    Column("external_group", String(128), nullable=False, default=""),
    Column("external_entity_id", String(256), nullable=False),
    Column("title", String(256)),  # what a catalogue calls it, for people
    UniqueConstraint("site_id", "wix_namespace", "wix_group", "wix_entity_id"),
    UniqueConstraint("site_id", "external_group", "external_entity_id"),
    # For Wix Reviews, which names a product by its id alone.
    Index("ix_entity_map_wix_entity_id", "site_id", "wix_entity_id"),
)

contact_map = Table(
    "contact_map",
    metadata,
    _id(),
    _site(),
    Column("wix_contact_id", String(64), nullable=False),
    Column("email", String(320), nullable=False),  # its identity: core/email_identity
    # By which rule it was written. 0: all letters folded, it may be another person's, too.
    Column("rule", Integer, nullable=False, default=1, server_default="0"),
    Column("name", String(256)),
    Column("external_author_id", String(256)),
    UniqueConstraint("site_id", "email"),
    Index(None, "site_id", "wix_contact_id"),
)

# A contact that was merged away, and the one it was merged into (perhaps merged away since).
contact_redirect = Table(
    "contact_redirect",
    metadata,
    Column("site_id", RowId, ForeignKey("site.id"), primary_key=True, autoincrement=False),
    Column("contact_id", String(64), primary_key=True),
    Column("target_id", String(64), nullable=False),
    Index(None, "site_id", "target_id"),
)

field_map = Table(
    "field_map",
    metadata,
    _id(),
    _site(),
    Column("wix_attribute", String(128), nullable=False),
    Column("external_field", String(128), nullable=False),
    Column("wix_min", String(32), nullable=False),
    Column("wix_max", String(32), nullable=False),
    Column("wix_step", String(32), nullable=False),
    Column("external_min", String(32), nullable=False),
    Column("external_max", String(32), nullable=False),
    Column("external_step", String(32), nullable=False),
    Column("mapping", String(16), nullable=False),
    Column("version", Integer, nullable=False, default=1),
    UniqueConstraint("site_id", "wix_attribute"),
    UniqueConstraint("site_id", "external_field"),
)

link = Table(
    "link",
    metadata,
    _id(),
    _site(),
    Column("entity_id", RowId, ForeignKey("entity_map.id"), nullable=False),
    Column("contact_id", String(64), nullable=False),
    Column("state", String(16), nullable=False, default="live"),
    Column("generation", Integer, nullable=False, default=0),
    Column("fence", BigInteger, nullable=False, default=0),
    Column("lease_until", Float, nullable=False, default=0),
    Column("external_id", String(512)),
    Column("external_revision", BigInteger),
    Column("external_sequence", BigInteger),
    Column("external_state", String(16)),
    Column("external_record", ExactJSON),
    Column("external_identity", String(64)),  # whose it showed to be, and of what, hashed
    Column("writes", ExactJSON, nullable=False, default=list),  # times of ours in the last hour
    # Ids of external records that stand behind the synced one.
    Column("shadowed", ExactJSON, nullable=False, default=list, server_default="[]"),
    # The words of both sides when they last agreed, in the bytes of each.
    *_columns(Text, "title_wix", "title_external", "body_wix", "body_external"),
    *_columns(Text, "reply_wix", "reply_external"),
    UniqueConstraint("site_id", "entity_id", "contact_id"),
    UniqueConstraint("site_id", "external_id"),
    Index(None, "contact_id", "site_id"),  # also of a person wherever they have rated
    # The ratings of a thing, newest first; and for a site that goes: what points at a row is looked
    # for as it is deleted.
    Index(None, "entity_id", "id"),
)

link_value = Table(
    "link_value",
    metadata,
    Column("link_id", RowId, ForeignKey("link.id"), primary_key=True),
    Column("attribute", String(128), primary_key=True),
    _site(),
    Column("wix_id", String(64)),
    Column("wix_revision", BigInteger),  # the seen revision: events at or below it tell nothing new
    Column("wix_sequence", BigInteger),
    Column("wix_state", String(16)),
    # As last returned, where updates have to say it again: of Wix Reviews.
    Column("wix_record", ExactJSON),
    Column("wix_standing", String(16)),  # who made the record, and who hides it; NULL is theirs
    *_columns(String(32), "base_wix", "base_external"),
    Column("base_version", Integer),  # of the field's mapping by which they agreed; NULL is 1
    UniqueConstraint("site_id", "wix_id"),
)

tombstone = Table(
    "tombstone",
    metadata,
    _site(),
    Column("side", String(16), nullable=False),
    Column("remote_id", String(512), nullable=False),
    Column("link_id", RowId, ForeignKey("link.id")),  # the link it was on file with, if it ever was
    Column("revision", BigInteger),
    Column("sequence", BigInteger),
    Column("privacy", Boolean, nullable=False, default=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("site_id", "side", "remote_id"),
)
partial_index("ix_tombstone_link", text("link_id IS NOT NULL"), tombstone.c.link_id)

inbox = Table(
    "inbox",
    metadata,
    _id(),
    Column("side", String(16), nullable=False),
    Column("source", String(128), nullable=False),  # Wix instance id or connector id
    Column("dedupe_id", String(512)),
    Column("change", String(32), nullable=False),
    Column("remote_id", String(512), nullable=False),
    Column("revision", BigInteger),
    Column("sequence", BigInteger),
    Column("is_restore", Boolean, nullable=False, default=False),
    Column("is_ours", Boolean, nullable=False, default=False),
    Column("privacy", Boolean, nullable=False, default=False),
    Column("event_time", String(40)),
    Column("payload", ExactJSON, nullable=False),
    Column("state", String(16), nullable=False, default="new"),
    Column("reason", String(128), nullable=False, default=""),
    Column("hold_key", String(600)),
    Column("must_read", Boolean, nullable=False, default=False),
    Column("attempts", Integer, nullable=False, default=0),
    # How often a worker may have died over it: suspected_crashes, see ports.inbox.TRACK_AFTER.
    Column("unended", Integer, nullable=False, default=0, server_default="0"),
    Column("received_at", Float, nullable=False),
    Column("next_attempt_at", Float, nullable=False),
    Column("closed_at", Float),
    _site(nullable=True),
    Column("link_id", RowId, ForeignKey("link.id")),
)
# NULLs do not collide in a unique index, so rows without a delivery id pass here.
Index("uq_inbox_dedupe", inbox.c.side, inbox.c.source, inbox.c.dedupe_id, unique=True)
# Thin senders have no delivery id: an equal row absorbs another only until a run has taken it.
_thin = text("state = 'new' AND dedupe_id IS NULL")
_what = (inbox.c.side, inbox.c.source, inbox.c.remote_id, inbox.c.change)
partial_index("uq_inbox_thin", _thin, *_what, unique=True)
_open = text("state IN ('new', 'taken')")
# For counts of what is open, and the oldest of it. Not by its next attempt: PostgreSQL would walk
# through it for what stands in the indexes below.
partial_index("ix_inbox_open", _open, inbox.c.received_at)
# For the sweeper, which reads no further than it rings: what waits for a budget stands apart, by
# its source, oldest first and longest due first.
_ripe = text("state IN ('new', 'taken') AND reason <> 'rate_limited'")
partial_index("ix_inbox_ripe", _ripe, inbox.c.next_attempt_at)
# Also by source, longest due first: none stands before the others.
partial_index("ix_inbox_ripe_source", _ripe, inbox.c.source, inbox.c.next_attempt_at)
_waits = text("state IN ('new', 'taken') AND reason = 'rate_limited'")
partial_index("ix_inbox_waits", _waits, inbox.c.source, inbox.c.id)
partial_index("ix_inbox_waits_due", _waits, inbox.c.source, inbox.c.next_attempt_at)
_held = text("state = 'held'")
partial_index("ix_inbox_held", _held, inbox.c.reason, inbox.c.hold_key)
# For pages of held ones, of all sites and of one.
partial_index("ix_inbox_held_side", _held, inbox.c.side, inbox.c.reason, inbox.c.id)
partial_index("ix_inbox_held_source", _held, inbox.c.source, inbox.c.reason, inbox.c.id)
_ended = text("state = 'done' AND reason = 'site_removed'")  # with its site, which may come back
partial_index("ix_inbox_ended_with_site", _ended, inbox.c.source, inbox.c.id)
# For the retention, oldest first; an emptied payload leaves its index.
_closed = text("closed_at IS NOT NULL")
partial_index("ix_inbox_closed", _closed, inbox.c.closed_at)
_full = text("closed_at IS NOT NULL AND payload <> '{}'")
partial_index("ix_inbox_payload", _full, inbox.c.closed_at)
Index("ix_inbox_link", inbox.c.link_id, inbox.c.state)
# For all that a side has told of one record, and for the evidence of a revision.
Index("ix_inbox_remote", inbox.c.side, inbox.c.source, inbox.c.remote_id, inbox.c.revision)

intent = Table(
    "intent",
    metadata,
    Column("id", String(36), primary_key=True),
    _site(),
    Column("link_id", RowId, ForeignKey("link.id"), nullable=False),
    Column("side", String(16), nullable=False),
    Column("attribute", String(128), nullable=False, default=""),
    Column("operation", String(16), nullable=False),
    Column("targets", ExactJSON, nullable=False),
    Column("sources", ExactJSON, nullable=False),
    Column("befores", ExactJSON, nullable=False),
    Column("reasons", ExactJSON, nullable=False),
    Column("is_privacy", Boolean, nullable=False, default=False),
    Column("remote_id", String(512)),
    Column("base_revision", BigInteger),
    Column("source_ids", ExactJSON, nullable=False),
    Column("state", String(16), nullable=False, default="open"),
    Column("created_at", Float, nullable=False),
    Column("closed_at", Float),
)
_open_intent = text("state = 'open'")
Index("ix_intent_link", intent.c.link_id)
# One open intent for a link: a write of unknown outcome is settled before the next.
partial_index("uq_intent_open", _open_intent, intent.c.link_id, unique=True)

history = Table(
    "history",
    metadata,
    _id(),
    _site(),
    Column("link_id", RowId, ForeignKey("link.id")),
    Column("at", Float, nullable=False),
    Column("what", String(16), nullable=False),
    Column("side", String(16)),
    Column("attribute", String(128), nullable=False, default=""),
    *_columns(String(32), "before", "after", "loser"),
    *_columns(Text, "words_before", "words_after", "words_loser"),
    Column("words_hashed", Boolean, nullable=False, default=False, server_default=false()),
    Column("loser_side", String(16)),
    Column("reason", Text, nullable=False, default=""),
    Column("remote_id", String(512), nullable=False, default=""),
    Column("intent_id", String(36), nullable=False, default=""),
    Column("inbox_id", RowId),
    # The person who caused it; empty where nobody did.
    Column("actor", String(128), nullable=False, default="", server_default=""),
)
_has_words = text(
    "(words_before IS NOT NULL OR words_after IS NOT NULL OR words_loser IS NOT NULL)"
    " AND NOT words_hashed"
)
partial_index("ix_history_words", _has_words, history.c.at)
Index("ix_history_link", history.c.link_id, history.c.id)
# For the brake: the deletes to a side within the hour.
Index("ix_history_recent", history.c.site_id, history.c.side, history.c.what, history.c.at)

run = Table(
    "run",
    metadata,
    _id(),
    _site(),
    Column("kind", String(16), nullable=False),  # baseline | sweep | dry_run | poll | import
    Column("state", String(16), nullable=False),
    Column("reason", String(256), nullable=False, default="", server_default=""),  # if abandoned
    Column("cursor", ExactJSON),
    Column("counts", ExactJSON, nullable=False, default=dict),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("fence", BigInteger, nullable=False, default=0, server_default="0"),
    Column("lease_until", Float, nullable=False, default=0, server_default="0"),
)
# One open sweep or poll for a site; imports run beside it.
_open_sweep = text("state = 'running' AND kind IN ('baseline', 'sweep', 'dry_run', 'poll')")
partial_index("uq_run_open_sweep", _open_sweep, run.c.site_id, unique=True)

# For the newest run of a site, of a kind.
Index("ix_run_newest", run.c.site_id, run.c.kind, run.c.started_at)
