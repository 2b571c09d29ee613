"""What external records show of whose they are: only a change of that is a move.

No row is rewritten: what a record shows is noted when it is seen next. The way back forgets it,
and keeps all links.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("link", sa.Column("external_identity", sa.String(64)))


def downgrade() -> None:
    op.drop_column("link", "external_identity")
