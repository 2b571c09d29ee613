"""The tables of what processes tell each other and themselves: of their work, and of the time."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from sync_worker.ledger.column_types import ExactJSON
from sync_worker.ledger.tables import RowId, metadata

# Work of one site that fails: when it last did, and when it is tried again.
site_fault = Table(
    "site_fault",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("work", String(16), nullable=False),  # sweep | poll | hooks | farewell | old_shop
    Column("source", String(128), nullable=False),  # the connector of the site
    Column("failures", Integer, nullable=False),  # in a row
    Column("error", String(256), nullable=False),
    Column("failed_at", Float, nullable=False),
    Column("next_try_at", Float, nullable=False),
    UniqueConstraint("work", "source"),
)

# One row, which its migration made: changed by whoever asks whether the ledger can be written.
up_check = Table(
    "up_check",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("checked_at", Float, nullable=False),
)

# One row: what is added to the database's clock, which was set back by as much, and the time noted
# last (ledger/statements/clock.py).
ledger_clock = Table(
    "ledger_clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1
    Column("shift", Float, nullable=False),
    Column("latest", Float, nullable=False),
)

# Our webhooks at one external system: whether they reach us, as last looked at.
hook_state = Table(
    "hook_state",
    metadata,
    Column("source", String(128), primary_key=True),  # the connector
    Column("heard_at", Float),  # a greeting or a verified delivery reached the gateway
    Column("checked_at", Float),
    Column("working", Integer, nullable=False, default=0, server_default="0"),
    Column("missing", Integer, nullable=False, default=0, server_default="0"),  # topics
    Column("enabled_again", Integer, nullable=False, default=0, server_default="0"),  # in a row
    Column("enabled_again_at", Float),
    # A mark of the secret that they were made with; NULL: not known.
    Column("made_with", String(64)),
    # Of the shop of the environment, once its site has removed the app: when they were first to be
    # taken away, when that was done or given up, and where they led, to be made there again.
    Column("farewell_since", Float),
    Column("farewell_at", Float),
    Column("farewell_urls", ExactJSON),
)

# The processes that work on this ledger, each with its last sign of life.
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("id", String(160), primary_key=True),
    Column("kind", String(16), nullable=False),  # gateway | worker | beat
    Column("host", String(128), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", String(32), nullable=False),  # empty: not known
    Column("started_at", Float, nullable=False),  # or first seen
    Column("seen_at", Float, nullable=False),
    Column("every_seconds", Float, nullable=False),  # how often it shows a sign
    Column("clock_ahead", Float, nullable=False),  # of the ledger's clock, in seconds
    Column("slots", Integer, nullable=False),
    Column("busy", Integer, nullable=False),
    Column("stopped_at", Float),  # it ended as it was told to
)

# What came to the door. An hour is a number of hours since 1970.
door_count = Table(
    "door_count",
    metadata,
    Column("source", String(128), primary_key=True),  # wix | a connector | (unknown)
    Column("result", String(32), primary_key=True),
    Column("reason", String(64), primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Index("ix_door_count_hour", "hour"),
)

# Of each source: when it was last accepted and last refused, and the refusals since.
door_source = Table(
    "door_source",
    metadata,
    Column("source", String(128), primary_key=True),
    Column("accepted_at", Float),
    Column("refused_at", Float),
    Column("refused_result", String(32), nullable=False, default="", server_default=""),
    Column("refused_reason", String(64), nullable=False, default="", server_default=""),
    # The first refusal after the last accepted one, and how many there were.
    Column("refusing_since", Float),
    Column("refusals", BigInteger, nullable=False, default=0, server_default="0"),
)

# What a running sweep saw in its listings; forgotten when it ends.
listed = Table(
    "listed",
    metadata,
    Column("run_id", RowId, ForeignKey("run.id"), primary_key=True, autoincrement=False),
    Column("side", String(16), primary_key=True),
    Column("remote_id", String(512), primary_key=True),
    Column("mark", String(16), nullable=False),
    Column("change", String(16), nullable=False, default="upsert"),
    # 0, with an empty contact: the key is not known (yet).
    Column("entity_id", RowId, nullable=False, default=0),
    Column("contact_id", String(64), nullable=False, default=""),
    Column("record", ExactJSON),
    Column("must_read", Boolean, nullable=False, default=False),
    Column("hold", String(32), nullable=False, default=""),
    Index("ix_listed_findings", "run_id", "mark", "entity_id", "contact_id"),
)

# Records on file that the last complete listing did not show; the run that missed them first.
missing = Table(
    "missing",
    metadata,
    Column("site_id", RowId, ForeignKey("site.id"), nullable=False),
    Column("side", String(16), nullable=False),
    Column("remote_id", String(512), nullable=False),
    Column("run_id", RowId, nullable=False),
    UniqueConstraint("site_id", "side", "remote_id"),
)

# What links had on file on both sides when their site left an API of Wix; no raw text of it is
# searched, and it goes with the link's person.
set_aside = Table(
    "set_aside",
    metadata,
    Column("site_id", RowId, ForeignKey("site.id"), primary_key=True, autoincrement=False),
    Column("wix_api", String(16), primary_key=True),
    Column("link_id", RowId, ForeignKey("link.id"), primary_key=True, autoincrement=False),
    Column("record", ExactJSON, nullable=False),
    Column("record_values", ExactJSON, nullable=False),
    Index(None, "link_id"),
)
