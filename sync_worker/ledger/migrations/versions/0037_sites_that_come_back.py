"""Until when nobody told what happened on a site: a sweep that began before does not count.

NULL: never. The way back forgets that: such a site waits for its next sweep of the schedule.

Revision ID: 0037
Revises: 0036
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("site", sa.Column("sweep_since", sa.Float()))


def downgrade() -> None:
    op.drop_column("site", "sweep_since")
