"""The tables of files of ratings that people have sent.

Rows hold addresses and words of people: an erasure empties them, and retention forgets them.
"""

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
    Text,
    text,
)

from sync_worker.ledger.column_types import ExactJSON
from sync_worker.ledger.tables import RowId, metadata, partial_index

import_file = Table(
    "import_file",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("site_id", RowId, ForeignKey("site.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("actor", String(128), nullable=False),  # who asked last
    Column("phase", String(8), nullable=False),  # load, check, look, run
    Column("state", String(8), nullable=False),  # ready, working, stopped, failed
    Column("reason", String(512), nullable=False, default=""),  # why it failed, or waits
    Column("form", ExactJSON, nullable=False),  # which column is what
    Column("shape", ExactJSON, nullable=False),  # how its rows are written again
    Column("row_count", Integer, nullable=False, default=0),
    Column("counts", ExactJSON, nullable=False, default=dict),  # of rows, by what became of them
    Column("writes", ExactJSON, nullable=False, default=dict),  # of the dry run, in words
    Column("run_id", RowId),  # its line among the comparisons and imports
    Column("is_wiped", Boolean, nullable=False, default=False),
    Column("sent_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),  # the last act of a person, or progress
    Column("due_at", Float, nullable=False, default=0),
    Column("fence", BigInteger, nullable=False, default=0),
    Column("lease_until", Float, nullable=False, default=0),
    Index("ix_import_file_site_id_id", "site_id", "id"),
)
partial_index("ix_import_file_due", text("state = 'working'"), import_file.c.due_at)

import_row = Table(
    "import_row",
    metadata,
    Column("import_id", RowId, ForeignKey("import_file.id"), primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("site_id", RowId, ForeignKey("site.id"), nullable=False),
    Column("content", Text, nullable=False),  # JSON of its cells or of its line; empty: erased
    Column("problem", String(512), nullable=False, default=""),  # why it cannot be read
    Column("email", String(320)),  # as an identity of a person, if it shows one
    Column("what", String(16)),  # what became of it; NULL: still to do
    Column("place", String(256), nullable=False, default=""),  # the column that is to blame
    Column("reason", String(512), nullable=False, default=""),
    Column("differs", Boolean, nullable=False, default=False),
    Column("entity_id", RowId),  # of its rating key, once that is known
    Column("contact_id", String(400)),
    Column("attributes", ExactJSON),
    Index("ix_import_row_site_id_email", "site_id", "email"),
    Index("ix_import_row_import_id_what_line", "import_id", "what", "line"),
)
