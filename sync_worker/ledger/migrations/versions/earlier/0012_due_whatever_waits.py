"""What is due is found however much waits for a budget, and whatever the database's clock shows.

The way back forgets what was added to a clock that had been set back: all that was put off waits
until the clock shows its time.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('new', 'taken')")
RIPE = sa.text("state IN ('new', 'taken') AND reason <> 'rate_limited'")
WAITS = sa.text("state IN ('new', 'taken') AND reason = 'rate_limited'")
# PostgreSQL has built these before this migration runs, while writes go on: large_indexes.py.
BUILT_BEFORE = {
    "ix_inbox_open": f"ON inbox (received_at) WHERE {OPEN}",
    "ix_inbox_ripe": f"ON inbox (next_attempt_at) WHERE {RIPE}",
    "ix_inbox_waits": f"ON inbox (source, id) WHERE {WAITS}",
    "ix_inbox_waits_due": f"ON inbox (source, next_attempt_at) WHERE {WAITS}",
    "ix_run_newest": "ON run (site_id, kind, started_at)",
}


def upgrade() -> None:
    op.create_table(
        "ledger_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shift", sa.Float(), nullable=False),
        sa.Column("latest", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_clock")),
    )
    op.drop_index("ix_inbox_due", "inbox")
    for name, definition in BUILT_BEFORE.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} {definition}")


def downgrade() -> None:
    op.drop_index("ix_run_newest", "run")
    for name in ("ix_inbox_waits_due", "ix_inbox_waits", "ix_inbox_ripe", "ix_inbox_open"):
        op.drop_index(name, "inbox")
    op.create_index(
        "ix_inbox_due", "inbox", ["next_attempt_at"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.drop_table("ledger_clock")
