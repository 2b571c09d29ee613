"""What a look has read of a long catalogue, for the next one to go on.

The way back forgets that: a look begins anew.

Revision ID: 0041
Revises: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "catalogue_part",
        sa.Column(
            "site_id",
            ROW_ID,
            sa.ForeignKey("site.id", name=op.f("fk_catalogue_part_site_id")),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("items", sa.Text, nullable=False),
        sa.Column("next_page", sa.Text),
        sa.Column("unreadable", sa.Integer, nullable=False),
        sa.Column("read_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("site_id", "number", name=op.f("pk_catalogue_part")),
    )


def downgrade() -> None:
    op.drop_table("catalogue_part")
