"""The person who caused a line of the history.

Lines from before keep their name in the reason ("by NAME"), and so does the way back.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("history", sa.Column("actor", sa.String(128), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("history", "actor")
