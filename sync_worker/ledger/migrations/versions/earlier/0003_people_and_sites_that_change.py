"""Merged contacts get a table of their own; a site remembers when it was last installed or
removed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact_redirect",
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("contact_id", sa.String(length=64), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_contact_redirect_site_id")),
        sa.PrimaryKeyConstraint("site_id", "contact_id", name=op.f("pk_contact_redirect")),
    )
    op.create_index(
        op.f("ix_contact_redirect_site_id_target_id"),
        "contact_redirect",
        ["site_id", "target_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_link_site_id_contact_id"), "link", ["site_id", "contact_id"], unique=False
    )
    # It was never written: a contact may be merged away before the ledger has an address of it.
    op.drop_column("contact_map", "redirect_to")
    op.add_column("site", sa.Column("lifecycle_at", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("site", "lifecycle_at")
    op.add_column("contact_map", sa.Column("redirect_to", sa.String(length=64), nullable=True))
    op.drop_index(op.f("ix_link_site_id_contact_id"), table_name="link")
    op.drop_index(op.f("ix_contact_redirect_site_id_target_id"), table_name="contact_redirect")
    op.drop_table("contact_redirect")
