"""Held ones are found by side, by a contact of any site, and by the end of what they wait for.

Two indexes take the place of two others. The way back makes those anew, and loses nothing.

Revision ID: 0039
Revises: 0038
"""

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

# PostgreSQL has built them before this migration runs, while writes go on: large_indexes.py.
BUILT_BEFORE = {
    "ix_inbox_held_side": "ON inbox (side, reason, id) WHERE state = 'held'",
    "ix_link_contact_id_site_id": "ON link (contact_id, site_id)",
    "ix_history_unlinked": "ON history (remote_id) WHERE link_id IS NULL",
    # Of PostgreSQL alone: SQLite reads no text backwards.
    "ix_inbox_held_ends": "ON inbox (reverse(hold_key) text_pattern_ops) WHERE state = 'held'",
}
REPLACED = {
    "ix_inbox_held_pages": ("inbox", "(reason, id) WHERE state = 'held'"),
    "ix_link_site_id_contact_id": ("link", "(site_id, contact_id)"),
}


def upgrade() -> None:
    for name, definition in _indexes().items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} {definition}")
    for name, (table, _) in REPLACED.items():
        op.drop_index(name, table)


def downgrade() -> None:
    for name, (table, columns) in REPLACED.items():
        op.execute(f"CREATE INDEX {name} ON {table} {columns}")
    for name in _indexes():
        op.drop_index(name)


def _indexes() -> dict[str, str]:
    if op.get_bind().dialect.name == "sqlite":
        return {name: of for name, of in BUILT_BEFORE.items() if "reverse(" not in of}
    return BUILT_BEFORE
