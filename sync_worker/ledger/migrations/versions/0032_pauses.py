"""Until when a site is paused, and why.

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "site_pause",
        sa.Column("site_id", RowId, nullable=False, autoincrement=False),
        sa.Column("paused_at", sa.Float, nullable=False),
        sa.Column("until", sa.Float),
        sa.Column("why", sa.String(256), nullable=False, server_default=""),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("state_before", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_site_pause_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_site_pause")),
    )
    op.create_index(op.f("ix_site_pause_until"), "site_pause", ["until"])


def downgrade() -> None:
    """A site that is paused stays so, until a person resumes it."""
    op.drop_table("site_pause")
