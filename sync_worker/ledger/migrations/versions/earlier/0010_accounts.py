"""Accounts that a remote refuses, by site and side.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("site_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("next_probe_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_account_site_id")),
        sa.PrimaryKeyConstraint("site_id", "side", name=op.f("pk_account")),
    )


def downgrade() -> None:
    # The earlier version probes no account: a person releases what waits for one, as before.
    op.execute(
        "UPDATE inbox SET reason = 'unauthorized', hold_key = NULL"
        " WHERE state = 'held' AND reason = 'account_failing'"
    )
    op.drop_table("account")
