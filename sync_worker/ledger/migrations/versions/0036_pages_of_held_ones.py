"""Held ones are found by reason in the order of their numbers, of all sites or of one.

The way back loses nothing.

Revision ID: 0036
Revises: 0035
"""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

# PostgreSQL has built them before this migration runs, while writes go on: large_indexes.py.
BUILT_BEFORE = {
    "ix_inbox_held_pages": "ON inbox (reason, id) WHERE state = 'held'",
    "ix_inbox_held_source": "ON inbox (source, reason, id) WHERE state = 'held'",
}


def upgrade() -> None:
    for name, definition in BUILT_BEFORE.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} {definition}")


def downgrade() -> None:
    for name in BUILT_BEFORE:
        op.drop_index(name, "inbox")
