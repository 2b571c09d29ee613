"""A row to change for whoever asks whether the ledger can be written.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    made = op.create_table(
        "up_check",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("checked_at", sa.Float(), nullable=False),
    )
    op.bulk_insert(made, [{"id": 1, "checked_at": 0.0}])


def downgrade() -> None:
    op.drop_table("up_check")
