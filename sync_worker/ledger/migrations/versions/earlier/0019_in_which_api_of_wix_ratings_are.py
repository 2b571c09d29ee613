"""In which API of Wix the ratings of a site are: all that are there use Wix Ratings.

A site may change it: what its links had on file is set aside then. The way back knows Wix Ratings
only: it refuses while a site uses Wix Reviews, or has links set aside, which it would lose.

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
OF_SITES = ("wix_api", "wix_api_since", "other_fields", "wix_learned")


def upgrade() -> None:
    op.create_index(BY_ID, "entity_map", ["site_id", "wix_entity_id"])
    kind = sa.Column("wix_api", sa.String(16), nullable=False, server_default="ratings")
    op.add_column("site", kind)
    op.add_column("site", sa.Column("wix_api_since", sa.Float))
    op.add_column("site", sa.Column("other_fields", sa.Text))
    op.add_column("site", sa.Column("wix_learned", sa.Text))
    op.create_table(
        "set_aside",
        sa.Column("site_id", row_id(), sa.ForeignKey("site.id"), autoincrement=False),
        sa.Column("wix_api", sa.String(16), nullable=False),
        sa.Column("link_id", row_id(), sa.ForeignKey("link.id"), autoincrement=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("record_values", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("site_id", "wix_api", "link_id"),
    )
    op.create_index("ix_set_aside_link_id", "set_aside", ["link_id"])


def downgrade() -> None:
    refuse_what_would_be_lost()
    op.drop_table("set_aside")
    for name in OF_SITES:
        op.drop_column("site", name)
    op.drop_index(BY_ID, "entity_map")


def refuse_what_would_be_lost() -> None:
    """Raises Misconfigured."""
    site = sa.table("site", sa.column("id", sa.BigInteger), sa.column("wix_api", sa.String))
    set_aside = sa.table("set_aside", sa.column("site_id", sa.BigInteger))
    others = sa.select(site.c.id).where(site.c.wix_api != "ratings")
    both = sa.union(others, sa.select(set_aside.c.site_id))
    numbers = sorted(op.get_bind().execute(both).scalars())
    if numbers:
        raise Misconfigured(
            f"site {', '.join(map(str, numbers))} uses Wix Reviews, or has links of it set aside:"
            " the older version knows neither, and would take what it does not see for deleted;"
            " stay with this version"
        )


def row_id() -> sa.types.TypeEngine[int]:
    """As of all tables: SQLite gives row ids only to INTEGER keys."""
    return sa.BigInteger().with_variant(sa.Integer, "sqlite")
