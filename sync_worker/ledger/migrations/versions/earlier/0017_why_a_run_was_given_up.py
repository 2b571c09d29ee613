"""Why a run was given up.

The way back forgets the reasons, and keeps the runs.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("reason", sa.String(256), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("run", "reason")
