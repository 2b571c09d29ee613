"""The index of links by what is rated goes: another one begins with its column.

By itself, so that no other table is waited for meanwhile. The way back makes it anew.

Revision ID: 0034
Revises: 0033
"""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_link_entity_id", "link")


def downgrade() -> None:
    op.create_index("ix_link_entity_id", "link", ["entity_id"])
