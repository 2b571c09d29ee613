"""Remember the older records of one person for one thing, where a platform allows several."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("link", sa.Column("shadowed", sa.Text(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("link", "shadowed")
