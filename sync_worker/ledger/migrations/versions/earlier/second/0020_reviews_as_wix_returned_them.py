"""Reviews of Wix as last returned: an update sends back what it does not change.

No row is rewritten: a review that is not on file yet is read before its next update. The way back
forgets them, and keeps all links.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("link_value", sa.Column("wix_record", sa.Text()))


def downgrade() -> None:
    op.drop_column("link_value", "wix_record")
