"""The owner's replies to reviews: what both sides last showed.

The way back forgets them and gives up open writes of them; it keeps all links and the history.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

OF_LINK = ("reply_wix", "reply_external")


def upgrade() -> None:
    for name in OF_LINK:
        op.add_column("link", sa.Column(name, sa.Text))


def downgrade() -> None:
    _give_up_replies()
    for name in OF_LINK:
        op.drop_column("link", name)


def _give_up_replies() -> None:
    """An earlier version knows no such write; its lines stay, as those of an update."""
    intent = sa.table("intent", sa.column("operation", sa.String), sa.column("state", sa.String))
    is_open_reply = (intent.c.operation == "reply") & (intent.c.state == "open")
    op.get_bind().execute(intent.update().where(is_open_reply).values(state="abandoned"))
    history = sa.table("history", sa.column("what", sa.String))
    is_reply = history.c.what == "reply"
    op.get_bind().execute(history.update().where(is_reply).values(what="update"))
