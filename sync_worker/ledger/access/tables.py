"""The tables of access. Whoever reads them can come in by none: all secrets are hashed."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Text

from sync_worker.ledger.column_types import ExactJSON
from sync_worker.ledger.tables import RowId, metadata

HASH = String(64)  # SHA-256 in hex of at least 128 random bits

person = Table(
    "console_person",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("name", String(128), nullable=False, unique=True),  # lower case
    Column("role", String(16), nullable=False),
    Column("password", Text),  # argon2id; NULL: none chosen yet
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("removed_at", Float),
)

# A link for one use: whoever opens it comes in as that person, and chooses a password.
one_time_link = Table(
    "console_link",
    metadata,
    Column("hash", HASH, primary_key=True),
    Column("person_id", RowId, ForeignKey("console_person.id"), nullable=False),
    Column("valid_until", Float, nullable=False),
    Column("used_at", Float),
    Index("ix_console_link_valid_until", "valid_until"),
)

# Of a person, or of a site's owner, who is known by the signed instance of Wix.
session = Table(
    "console_session",
    metadata,
    Column("hash", HASH, primary_key=True),
    Column("person_id", RowId, ForeignKey("console_person.id")),
    Column("site_id", RowId, ForeignKey("site.id")),
    Column("instance_id", String(64)),
    Column("uid", String(128)),
    Column("locale", String(16), nullable=False, default=""),
    Column("begun_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("fresh_at", Float, nullable=False),  # the last time a password was given
    Index("ix_console_session_person", "person_id"),
    Index("ix_console_session_seen_at", "seen_at"),
)

# A signed instance that has opened a session opens no other.
used_instance = Table(
    "console_instance",
    metadata,
    Column("hash", HASH, primary_key=True),
    Column("valid_until", Float, nullable=False),
    Index("ix_console_instance_valid_until", "valid_until"),
)

# A form that was sent, with what came of it: sent again, it does nothing anew.
sent_form = Table(
    "console_form",
    metadata,
    Column("hash", HASH, primary_key=True),
    Column("session_hash", HASH, nullable=False),
    Column("result", Text),  # NULL: under way
    Column("sent_at", Float, nullable=False),
    Index("ix_console_form_sent_at", "sent_at"),
)

# Failed logins by name and by address.
attempt = Table(
    "console_attempt",
    metadata,
    Column("hash", HASH, primary_key=True),  # of the name or the address
    Column("count", Integer, nullable=False),
    Column("since", Float, nullable=False),
    Index("ix_console_attempt_since", "since"),
)

# For programs: what a token may do, at which site, and until when.
token = Table(
    "console_token",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("name", String(128), nullable=False),
    Column("hash", HASH, nullable=False, unique=True),
    Column("scopes", ExactJSON, nullable=False),  # rights, by their words
    Column("site_id", RowId, ForeignKey("site.id")),  # NULL: of all sites
    Column("made_by", String(128), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("valid_until", Float, nullable=False),
    Column("used_at", Float),
    Column("revoked_at", Float),
)
