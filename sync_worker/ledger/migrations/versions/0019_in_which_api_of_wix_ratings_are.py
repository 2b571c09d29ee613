"""In which API of Wix the ratings of a site are: all that are there use Wix Ratings.

The way back knows Wix Ratings only: it refuses while a site uses Wix Reviews.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

from sync_worker.core.errors import Misconfigured

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BY_ID = "ix_entity_map_wix_entity_id"


def upgrade() -> None:
    kind = sa.Column("wix_api", sa.String(16), nullable=False, server_default="ratings")
    op.add_column("site", kind)
    op.create_index(BY_ID, "entity_map", ["site_id", "wix_entity_id"])


def downgrade() -> None:
    site = sa.table("site", sa.column("id", sa.BigInteger), sa.column("wix_api", sa.String))
    others = sa.select(site.c.id).where(site.c.wix_api != "ratings").order_by(site.c.id)
    numbers = [str(number) for number in op.get_bind().execute(others).scalars()]
    # An older version would look for their reviews among the ratings, and take all for deleted.
    if numbers:
        raise Misconfigured(
            f"site {', '.join(numbers)} uses Wix Reviews, which the older version does not know;"
            " change it back first: ratings-sync site set --wix-api ratings --site SITE"
        )
    op.drop_index(BY_ID, "entity_map")
    op.drop_column("site", "wix_api")
