"""Heartbeats of the processes, and what came to the door, by source, reason and hour.

The way back forgets both; processes of the newer version write them anew.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "heartbeat",
        sa.Column("id", sa.String(160), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("host", sa.String(128), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("every_seconds", sa.Float(), nullable=False),
        sa.Column("clock_ahead", sa.Float(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("busy", sa.Integer(), nullable=False),
        sa.Column("stopped_at", sa.Float()),
    )
    op.create_table(
        "door_count",
        sa.Column("source", sa.String(128), primary_key=True),
        sa.Column("result", sa.String(32), primary_key=True),
        sa.Column("reason", sa.String(64), primary_key=True),
        sa.Column("hour", sa.Integer(), primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_door_count_hour", "door_count", ["hour"])
    op.create_table(
        "door_source",
        sa.Column("source", sa.String(128), primary_key=True),
        sa.Column("accepted_at", sa.Float()),
        sa.Column("refused_at", sa.Float()),
        sa.Column("refused_result", sa.String(32), nullable=False, server_default=""),
        sa.Column("refused_reason", sa.String(64), nullable=False, server_default=""),
        sa.Column("refusing_since", sa.Float()),
        sa.Column("refusals", sa.BigInteger(), nullable=False, server_default="0"),
    )


def downgrade() -> None:
    op.drop_table("door_source")
    op.drop_table("door_count")
    op.drop_table("heartbeat")
