"""The index of words in the history, built while writes go on.

Its columns are those of the migration before, which holds the links: no index of a large table is
built in there. The way back loses nothing.

Revision ID: 0024
Revises: 0023
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# PostgreSQL has built it before this migration runs, while writes go on: large_indexes.py.
BUILT_BEFORE = {
    "ix_history_words": "ON history (at) WHERE (words_before IS NOT NULL OR words_after IS NOT NULL"
    " OR words_loser IS NOT NULL) AND NOT words_hashed"
}


def upgrade() -> None:
    for name, definition in BUILT_BEFORE.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} {definition}")


def downgrade() -> None:
    op.drop_index("ix_history_words", "history")
