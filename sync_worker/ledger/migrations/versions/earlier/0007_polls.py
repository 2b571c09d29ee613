"""A poll is a run of its site like a sweep: one of them at a time.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BEFORE = sa.text("state = 'running' AND kind IN ('baseline', 'sweep', 'dry_run')")
WITH_POLLS = sa.text("state = 'running' AND kind IN ('baseline', 'sweep', 'dry_run', 'poll')")


def upgrade() -> None:
    op.drop_index("uq_run_open_sweep", "run")
    op.create_index(
        "uq_run_open_sweep",
        "run",
        ["site_id"],
        unique=True,
        sqlite_where=WITH_POLLS,
        postgresql_where=WITH_POLLS,
    )


def downgrade() -> None:
    op.execute("UPDATE run SET state = 'abandoned' WHERE kind = 'poll' AND state = 'running'")
    op.drop_index("uq_run_open_sweep", "run")
    op.create_index(
        "uq_run_open_sweep",
        "run",
        ["site_id"],
        unique=True,
        sqlite_where=BEFORE,
        postgresql_where=BEFORE,
    )
