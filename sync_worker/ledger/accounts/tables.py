"""The tables of what shops gave us: accounts, their sealed secrets and addresses, and the audit."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from sync_worker.ledger.column_types import ExactJSON
from sync_worker.ledger.tables import RowId, metadata, partial_index

account = Table(
    "account",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("public_id", String(26), nullable=False, unique=True),
    Column("site_id", RowId, ForeignKey("site.id"), nullable=False),
    Column("connector", String(64), nullable=False),
    Column("identity", String(512)),  # as its external system knows it, normalised
    Column("settings", ExactJSON, nullable=False, default=dict),  # name: text; no secret
    Column("state", String(16), nullable=False),
    Column("paused_why", Text, nullable=False, default=""),
    Column("probed_at", Float),
    Column("probe", ExactJSON),  # what the last probe said, in words
    Column("version", Integer, nullable=False, default=1),
    Column("changed", BigInteger, nullable=False),  # account_change.counter at its last change
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("wiped_at", Float),  # when the last of its secrets went
    # Since when its deliveries go over to the account of today; NULL: none has to.
    Column("moves_since", Float),
    # Read by workers of the version before while a fleet is upgraded: here stood what is in
    # site_side now. Always empty.
    Column("side", String(16)),
    Column("since", Float),
    Column("reason", Text),
    Column("next_probe_at", Float),
    Index("ix_account_changed", "changed"),
    Index("ix_account_site_id", "site_id"),
)
_in_use = text("state <> 'revoked'")
partial_index("uq_account_site", _in_use, account.c.site_id, unique=True)
_known = text("state <> 'revoked' AND identity IS NOT NULL")
_whose = (account.c.connector, account.c.identity)
partial_index("uq_account_identity", _known, *_whose, unique=True)

# How a side of a site stands, once its remote has refused our credentials.
site_side = Table(
    "site_side",
    metadata,
    Column("site_id", RowId, ForeignKey("site.id"), primary_key=True, autoincrement=False),
    Column("side", String(16), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("since", Float, nullable=False),
    Column("reason", Text, nullable=False, default=""),  # what the remote said
    Column("next_probe_at", Float, nullable=False),
)

account_secret = Table(
    "account_secret",
    metadata,
    Column("account_id", RowId, ForeignKey("account.id"), primary_key=True, autoincrement=False),
    Column("name", String(64), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("previous", Text),  # the value before, which counts until
    Column("previous_until", Float),
    Column("changed_at", Float, nullable=False),
)

# The last part of a webhook address. An account may have two for a while.
account_address = Table(
    "account_address",
    metadata,
    Column("address", String(26), primary_key=True),
    Column("account_id", RowId, ForeignKey("account.id"), nullable=False),
    Column("valid_until", Float),
    Index("ix_account_address_account_id", "account_id"),
)

# Where an account was before it was given another shop's address: our webhooks go from there, with
# what it had then. The secrets are bound to the account.
old_shop = Table(
    "old_shop",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("account_id", RowId, ForeignKey("account.id"), nullable=False),
    Column("settings", ExactJSON, nullable=False),
    Column("secrets", ExactJSON, nullable=False),  # sealed, by name
    Column("addresses", ExactJSON, nullable=False),  # the last parts of its webhook addresses
    Column("left_at", Float, nullable=False),
    Index("ix_old_shop_account_id", "account_id"),
)

# One row, which its migration made: whoever changes an account adds one first, and so has the turn.
account_change = Table(
    "account_change",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("counter", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("site_id", RowId, ForeignKey("site.id")),
    Column("account_id", RowId, ForeignKey("account.id")),
    Column("what", String(64), nullable=False),
    Column("values_before", ExactJSON, nullable=False),
    Column("values_after", ExactJSON, nullable=False),
    Column("why", Text, nullable=False, default=""),
    Index("ix_audit_site", "site_id", "id"),
    Index("ix_audit_account", "account_id", "id"),
    Index("ix_audit_actor", "actor", "id"),
    Index("ix_audit_what", "what", "id"),
)
