"""Our webhooks at shops that we leave: of the environment, and at an account's address of before.

The way back forgets which of them are left to take away: those stay, and knock at a closed door.

Revision ID: 0040
Revises: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
OF_HOOKS = {"farewell_since": sa.Float, "farewell_at": sa.Float, "farewell_urls": sa.Text}


def upgrade() -> None:
    for name, kind in OF_HOOKS.items():
        op.add_column("hook_state", sa.Column(name, kind))
    op.create_table(
        "old_shop",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column(
            "account_id",
            ROW_ID,
            sa.ForeignKey("account.id", name=op.f("fk_old_shop_account_id")),
            nullable=False,
        ),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("secrets", sa.Text, nullable=False),
        sa.Column("addresses", sa.Text, nullable=False),
        sa.Column("left_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_old_shop")),
    )
    op.create_index("ix_old_shop_account_id", "old_shop", ["account_id"])


def downgrade() -> None:
    op.drop_table("old_shop")
    for name in OF_HOOKS:
        op.drop_column("hook_state", name)
