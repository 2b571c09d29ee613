"""The tables of setting up a site: its steps, what was read of catalogues, what is proposed."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from sync_worker.ledger.column_types import ExactJSON
from sync_worker.ledger.tables import RowId, metadata

# One row a site, from its first step on.
onboarding = Table(
    "onboarding",
    metadata,
    Column("site_id", RowId, ForeignKey("site.id"), primary_key=True, autoincrement=False),
    Column("steps", ExactJSON, nullable=False, default=dict),  # by name: state, words, time
    Column("version", Integer, nullable=False, default=1),
    Column("started_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("ended_at", Float),
)

# The last look at both catalogues of a site.
catalogue_look = Table(
    "catalogue_look",
    metadata,
    Column("site_id", RowId, ForeignKey("site.id"), primary_key=True, autoincrement=False),
    Column("looked_at", Float, nullable=False),
    Column("failed", Text, nullable=False, default=""),  # why nothing was read
    Column("counts", ExactJSON, nullable=False, default=dict),
)

# What a look has read of a catalogue that is too long for one; gone as soon as it is read whole.
catalogue_part = Table(
    "catalogue_part",
    metadata,
    Column("site_id", RowId, ForeignKey("site.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),  # in the order of reading
    Column("side", String(16), nullable=False),
    Column("items", ExactJSON, nullable=False),
    Column("next_page", Text),  # where its side goes on; NULL: it is read to its end
    Column("unreadable", Integer, nullable=False),
    Column("read_at", Float, nullable=False),
)

# Names that deliveries waited for and for which the catalogues had no certain twin.
catalogue_asked = Table(
    "catalogue_asked",
    metadata,
    Column("site_id", RowId, ForeignKey("site.id"), primary_key=True, autoincrement=False),
    Column("hold_key", String(600), primary_key=True),
    Column("asked_at", Float, nullable=False),
)

# Pairs for a person to confirm, and those that a person has refused.
entity_proposal = Table(
    "entity_proposal",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("site_id", RowId, ForeignKey("site.id"), nullable=False),
    Column("wix_namespace", String(64), nullable=False),
    Column("wix_group", String(128), nullable=False),
    Column("wix_entity_id", String(256), nullable=False),
    Column("external_group", String(128), nullable=False),
    Column("external_entity_id", String(256), nullable=False),
    Column("way", String(8), nullable=False),  # id, sku or name
    Column("title", String(256), nullable=False, default=""),
    Column("external_title", String(256), nullable=False, default=""),
    Column("state", String(16), nullable=False),  # open, refused
    Column("found_at", Float, nullable=False),
    UniqueConstraint(
        "site_id",
        "wix_entity_id",
        "external_group",
        "external_entity_id",
        name="uq_entity_proposal_pair",
    ),
    Index("ix_entity_proposal_open", "site_id", "state", "id"),
)
