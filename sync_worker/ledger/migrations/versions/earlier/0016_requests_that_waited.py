"""Privacy requests that an earlier version held for the state of their site go to work.

The way back leaves them as they are: what they have erased stays erased.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

WAITED = """
UPDATE inbox SET state = 'new', reason = '', hold_key = NULL, closed_at = NULL, next_attempt_at = 0
WHERE state = 'held' AND privacy AND dedupe_id IS NOT NULL
  AND reason IN ('site_paused', 'site_removed', 'unknown_site')
"""


def upgrade() -> None:
    op.execute(WAITED)


def downgrade() -> None:
    pass
