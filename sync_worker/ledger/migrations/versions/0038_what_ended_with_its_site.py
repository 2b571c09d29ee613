"""What ended as the app was removed from its site is found by its source, should it come back.

Revision ID: 0038
Revises: 0037
"""

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

# PostgreSQL has built it before this migration runs, while writes go on: large_indexes.py.
BUILT_BEFORE = {
    "ix_inbox_ended_with_site": (
        "ON inbox (source, id) WHERE state = 'done' AND reason = 'site_removed'"
    )
}


def upgrade() -> None:
    for name, definition in BUILT_BEFORE.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} {definition}")


def downgrade() -> None:
    for name in BUILT_BEFORE:
        op.drop_index(name, "inbox")
