"""Since when the deliveries of an account that has ended go over to the account of today.

NULL: none has to. One that is noted here is forgotten by a step back: its deliveries are held then
as those of an unknown site, and are released by hand (`ratings-sync held release`).

Revision ID: 0035
Revises: 0034
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("moves_since", sa.Float()))


def downgrade() -> None:
    op.drop_column("account", "moves_since")
