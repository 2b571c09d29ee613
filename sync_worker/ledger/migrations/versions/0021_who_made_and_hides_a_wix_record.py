"""Who made a record on Wix, and who keeps it out of sight: of what is on file already, others.

The way back forgets that, so it refuses while a site uses Wix Reviews: an older version would take
an import that its owner rejected for a deleted review, and delete its source.

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
    site = sa.table("site", sa.column("id", sa.BigInteger), sa.column("wix_api", sa.String))
    others = sa.select(site.c.id).where(site.c.wix_api != "ratings").order_by(site.c.id)
    numbers = [str(number) for number in op.get_bind().execute(others).scalars()]
    if numbers:
        raise Misconfigured(
            f"site {', '.join(numbers)} uses Wix Reviews, and the older version does not know which"
            " reviews are ours; change it back first: ratings-sync site set --wix-api ratings"
            " --site SITE"
        )
    op.drop_column("link_value", "wix_standing")
