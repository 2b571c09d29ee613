"""Find what is old without reading the whole inbox."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CLOSED = sa.text("closed_at IS NOT NULL")
FULL = sa.text("closed_at IS NOT NULL AND payload <> '{}'")


def upgrade() -> None:
    op.create_index(
        "ix_inbox_closed", "inbox", ["closed_at"], sqlite_where=CLOSED, postgresql_where=CLOSED
    )
    op.create_index(
        "ix_inbox_payload", "inbox", ["closed_at"], sqlite_where=FULL, postgresql_where=FULL
    )


def downgrade() -> None:
    op.drop_index("ix_inbox_payload", table_name="inbox")
    op.drop_index("ix_inbox_closed", table_name="inbox")
