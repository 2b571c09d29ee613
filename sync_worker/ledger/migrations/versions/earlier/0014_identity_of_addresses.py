"""By which rule an address was written: those of earlier versions are looked up once more.

The way back keeps all addresses and links. Those written by the new rule that the earlier one
writes otherwise (a domain in punycode) are looked up anew by their next rating.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    rule = sa.Column("rule", sa.Integer(), nullable=False, server_default="0")
    op.add_column("contact_map", rule)


def downgrade() -> None:
    op.drop_column("contact_map", "rule")
