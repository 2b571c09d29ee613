"""The tables of what processes tell each other: of their work, and of the time."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, String, Table, UniqueConstraint

from sync_worker.ledger.tables import RowId, metadata

# Work of one site that fails: when it last did, and when it is tried again.
site_fault = Table(
    "site_fault",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("work", String(16), nullable=False),  # sweep | poll | hooks
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
)
