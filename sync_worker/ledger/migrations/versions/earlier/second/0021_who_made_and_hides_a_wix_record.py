"""Who made a record on Wix, and who keeps it out of sight: of what is on file already, others.

The way back forgets that, so it refuses while any is noted: an older version would take an import
that its owner rejected for a deleted review, and delete its source.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

from sync_worker.core.errors import Misconfigured

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("link_value", sa.Column("wix_standing", sa.String(16)))


def downgrade() -> None:
    refuse_what_would_be_lost()
    op.drop_column("link_value", "wix_standing")


def refuse_what_would_be_lost() -> None:
    """Raises Misconfigured."""
    value = sa.table("link_value", sa.column("wix_standing", sa.String))
    noted = sa.select(sa.func.count()).where(value.c.wix_standing.is_not(None))
    count = op.get_bind().execute(noted).scalar_one()
    if count:
        raise Misconfigured(
            f"{count} reviews on Wix are known to be ours, or hidden by us: the older version would"
            " take one that its owner rejects for deleted, and delete its source; stay with this"
            " version"
        )
