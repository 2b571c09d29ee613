"""Sweeps: a lease and fence for runs, what a listing showed, what was missing in it, and mass
deletes allowed.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from sync_worker.ledger.column_types import ExactJSON

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN_SWEEP = sa.text("state = 'running' AND kind IN ('baseline', 'sweep', 'dry_run')")


def upgrade() -> None:
    op.add_column(
        "site", sa.Column("deletes_allowed", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column(
        "site", sa.Column("deletes_allowed_until", sa.Float(), nullable=False, server_default="0")
    )
    op.add_column("run", sa.Column("fence", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("run", sa.Column("lease_until", sa.Float(), nullable=False, server_default="0"))
    op.create_index(
        "uq_run_open_sweep",
        "run",
        ["site_id"],
        unique=True,
        sqlite_where=OPEN_SWEEP,
        postgresql_where=OPEN_SWEEP,
    )
    op.create_table(
        "listed",
        sa.Column("run_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("remote_id", sa.String(512), nullable=False),
        sa.Column("mark", sa.String(16), nullable=False),
        sa.Column("change", sa.String(16), nullable=False),
        sa.Column("entity_id", ROW_ID, nullable=False),
        sa.Column("contact_id", sa.String(64), nullable=False),
        sa.Column("record", ExactJSON(), nullable=True),
        sa.Column("must_read", sa.Boolean(), nullable=False),
        sa.Column("hold", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_listed_run_id")),
        sa.PrimaryKeyConstraint("run_id", "side", "remote_id", name=op.f("pk_listed")),
    )
    op.create_index("ix_listed_findings", "listed", ["run_id", "mark", "entity_id", "contact_id"])
    op.create_table(
        "missing",
        sa.Column("site_id", ROW_ID, nullable=False),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("remote_id", sa.String(512), nullable=False),
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_missing_site_id")),
        sa.UniqueConstraint(
            "site_id", "side", "remote_id", name=op.f("uq_missing_site_id_side_remote_id")
        ),
    )


def downgrade() -> None:
    op.drop_table("missing")
    op.drop_table("listed")
    op.drop_index("uq_run_open_sweep", "run")
    op.drop_column("run", "lease_until")
    op.drop_column("run", "fence")
    op.drop_column("site", "deletes_allowed_until")
    op.drop_column("site", "deletes_allowed")
