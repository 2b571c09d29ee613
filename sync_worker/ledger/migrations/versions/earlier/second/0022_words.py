"""Words of ratings: what both sides last said, and what a write covered.

The way back forgets the words of links and of the history, and what an open write wanted of them;
it keeps all links, and what they agreed on in numbers.

Revision ID: 0022
Revises: 0021
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

OF_LINK = ("title_wix", "title_external", "body_wix", "body_external")
OF_HISTORY = ("words_before", "words_after", "words_loser")


def upgrade() -> None:
    for name in OF_LINK:
        op.add_column("link", sa.Column(name, sa.Text))
    for name in OF_HISTORY:
        op.add_column("history", sa.Column(name, sa.Text))
    hashed = sa.Column("words_hashed", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("history", hashed)


def downgrade() -> None:
    _take_words_out_of_intents()
    for name in (*OF_HISTORY, "words_hashed"):
        op.drop_column("history", name)
    for name in OF_LINK:
        op.drop_column("link", name)


def _take_words_out_of_intents() -> None:
    """An earlier version reads every value of them as a number."""
    names = ("targets", "sources", "befores")
    columns = [sa.column("id", sa.String), *(sa.column(name, sa.Text) for name in names)]
    intent = sa.table("intent", *columns)
    connection = op.get_bind()
    has_words = sa.or_(*(intent.c[name].contains('{"words"') for name in names))
    for row in connection.execute(sa.select(intent).where(has_words)).all():
        kept = {name: _numbers(getattr(row, name)) for name in names}
        connection.execute(intent.update().where(intent.c.id == row.id).values(kept))


def _numbers(values: str) -> str:
    """Values by attribute, without the words."""
    every = json.loads(values)
    return json.dumps({name: one for name, one in every.items() if not isinstance(one, dict)})
