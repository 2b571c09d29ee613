"""Keep which work of a site fails, and when it is tried again.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# As the other tables have it: SQLite numbers rows by itself for INTEGER alone.
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "site_fault",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("work", sa.String(16), nullable=False),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(256), nullable=False),
        sa.Column("failed_at", sa.Float(), nullable=False),
        sa.Column("next_try_at", sa.Float(), nullable=False),
        sa.UniqueConstraint("work", "source"),
    )


def downgrade() -> None:
    op.drop_table("site_fault")
