"""Indexes by which everything of a removed site is found, to be deleted in batches.

Revision ID: 0028
Revises: 0027
"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

# PostgreSQL has built them before this migration runs, while writes go on: large_indexes.py.
BUILT_BEFORE = {
    "ix_intent_link": "ON intent (link_id)",
    "ix_tombstone_link": "ON tombstone (link_id) WHERE link_id IS NOT NULL",
    "ix_link_entity_id": "ON link (entity_id)",
}


def upgrade() -> None:
    for name, definition in BUILT_BEFORE.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} {definition}")


def downgrade() -> None:
    for name in BUILT_BEFORE:
        op.drop_index(name)
