"""What is known of our webhooks at each external system.

The way back forgets it; the next check of the webhooks finds out anew.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hook_state",
        sa.Column("source", sa.String(128), primary_key=True),
        sa.Column("heard_at", sa.Float()),
        sa.Column("checked_at", sa.Float()),
        sa.Column("working", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("missing", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("enabled_again", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("enabled_again_at", sa.Float()),
    )


def downgrade() -> None:
    op.drop_table("hook_state")
