"""A mark of the secret that the webhooks of a source were made with; NULL: not known.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hook_state", sa.Column("made_with", sa.String(64)))


def downgrade() -> None:
    op.drop_column("hook_state", "made_with")
