"""How far a site has come to work, what its catalogues showed, and the titles of what is mapped.

The way back forgets steps, proposals and titles; it keeps all maps and links.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("entity_map", sa.Column("title", sa.String(256)))
    op.create_table(
        "onboarding",
        of_site("onboarding"),
        sa.Column("steps", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("ended_at", sa.Float),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_onboarding")),
    )
    op.create_table(
        "catalogue_look",
        of_site("catalogue_look"),
        sa.Column("looked_at", sa.Float, nullable=False),
        sa.Column("failed", sa.Text, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_catalogue_look")),
    )
    op.create_table(
        "catalogue_asked",
        of_site("catalogue_asked"),
        sa.Column("hold_key", sa.String(600), nullable=False),
        sa.Column("asked_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("site_id", "hold_key", name=op.f("pk_catalogue_asked")),
    )
    make_proposals()


def make_proposals() -> None:
    op.create_table(
        "entity_proposal",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        of_site("entity_proposal"),
        sa.Column("wix_namespace", sa.String(64), nullable=False),
        sa.Column("wix_group", sa.String(128), nullable=False),
        sa.Column("wix_entity_id", sa.String(256), nullable=False),
        sa.Column("external_group", sa.String(128), nullable=False),
        sa.Column("external_entity_id", sa.String(256), nullable=False),
        sa.Column("way", sa.String(8), nullable=False),
        sa.Column("title", sa.String(256), nullable=False),
        sa.Column("external_title", sa.String(256), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("found_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entity_proposal")),
        sa.UniqueConstraint(
            "site_id",
            "wix_entity_id",
            "external_group",
            "external_entity_id",
            name=op.f("uq_entity_proposal_pair"),
        ),
    )
    op.create_index("ix_entity_proposal_open", "entity_proposal", ["site_id", "state", "id"])


def of_site(table: str) -> sa.Column[int]:
    name = op.f(f"fk_{table}_site_id")
    return sa.Column(
        "site_id",
        ROW_ID,
        sa.ForeignKey("site.id", name=name),
        autoincrement=False,
        nullable=False,
    )


def downgrade() -> None:
    for table in ("entity_proposal", "catalogue_asked", "catalogue_look", "onboarding"):
        op.drop_table(table)
    op.drop_column("entity_map", "title")
