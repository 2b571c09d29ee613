"""By what people find ratings, and deliveries that have not come to one.

The way back forgets the search keys of such deliveries, and nothing else.

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

# PostgreSQL has built them before this migration runs, while writes go on: large_indexes.py.
BUILT_BEFORE = {
    "ix_link_external_id": "ON link (external_id text_pattern_ops)",
    "ix_link_value_wix_id": "ON link_value (wix_id text_pattern_ops)",
    "ix_tombstone_remote_id": "ON tombstone (remote_id text_pattern_ops) WHERE NOT privacy",
    "ix_entity_map_wix_start": "ON entity_map (wix_entity_id text_pattern_ops)",
    "ix_entity_map_external_start": "ON entity_map (external_entity_id text_pattern_ops)",
    "ix_contact_map_email": "ON contact_map (email)",
    "ix_contact_map_wix_contact_id": "ON contact_map (wix_contact_id)",
    "ix_contact_map_external_author_id": "ON contact_map (external_author_id)",
    "ix_inbox_unlinked": "ON inbox (remote_id text_pattern_ops)"
    " WHERE link_id IS NULL AND state IN ('held', 'done')",
    "ix_inbox_held_link": "ON inbox (link_id) WHERE state = 'held' AND link_id IS NOT NULL",
    "ix_link_not_live": "ON link (id) WHERE state <> 'live'",
    "ix_link_entity_id_id": "ON link (entity_id, id)",
    "ix_history_site": "ON history (site_id, id)",
    # Expressions, of PostgreSQL alone: a ledger of SQLite is small enough to be looked through.
    "ix_entity_map_title": "ON entity_map (lower(title) text_pattern_ops)",
    "ix_contact_map_name": "ON contact_map (lower(name) text_pattern_ops)",
}
OF_KEYS = {
    "ix_unlinked_email_key": "email_key",
    "ix_unlinked_person_id": "person_id",
    "ix_unlinked_name_key": "name_key text_pattern_ops",
    "ix_unlinked_entity_id": "entity_id text_pattern_ops",
    "ix_unlinked_site_id": "site_id",
}


def upgrade() -> None:
    for name, definition in _indexes().items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} {_here(definition)}")
    row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "unlinked",
        sa.Column(
            "inbox_id",
            row_id,
            sa.ForeignKey("inbox.id", name=op.f("fk_unlinked_inbox_id_inbox"), ondelete="CASCADE"),
            nullable=False,
            autoincrement=False,
        ),
        sa.Column(
            "site_id",
            row_id,
            sa.ForeignKey("site.id", name=op.f("fk_unlinked_site_id_site")),
            nullable=False,
        ),
        sa.Column("email_key", sa.String(80)),
        sa.Column("person_id", sa.String(64)),
        sa.Column("name", sa.String(256)),
        sa.Column("name_key", sa.String(256)),
        sa.Column("entity_id", sa.String(256)),
        sa.PrimaryKeyConstraint("inbox_id", name=op.f("pk_unlinked")),
    )
    for name, definition in OF_KEYS.items():
        op.execute(f"CREATE INDEX {name} ON unlinked ({_here(definition)})")


def downgrade() -> None:
    # First of all tables, as whoever stores a delivery comes to it first.
    if not _is_sqlite():
        op.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
    op.drop_table("unlinked")
    for name in _indexes():
        op.drop_index(name)


def _indexes() -> dict[str, str]:
    if _is_sqlite():
        return {name: of for name, of in BUILT_BEFORE.items() if "lower(" not in of}
    return BUILT_BEFORE


def _here(definition: str) -> str:
    """SQLite compares texts by their bytes, and needs no other order for their starts."""
    if _is_sqlite():
        return definition.replace(" text_pattern_ops", "")
    return definition


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
