"""Who may use the console and the API: people, one-time links, sessions, sent forms, tokens.

The way back forgets them all; the sync itself needs none of it.

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
HASH = sa.String(64)
TABLES = (
    "console_token",
    "console_attempt",
    "console_form",
    "console_instance",
    "console_session",
    "console_link",
    "console_person",
)


def upgrade() -> None:
    op.create_table(
        "console_person",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("removed_at", sa.Float),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_person")),
        sa.UniqueConstraint("name", name=op.f("uq_console_person_name")),
    )
    make_ways_in()
    make_notes()
    make_tokens()
    op.create_index("ix_audit_actor", "audit", ["actor", "id"])
    op.create_index("ix_audit_what", "audit", ["what", "id"])


def make_ways_in() -> None:
    op.create_table(
        "console_link",
        sa.Column("hash", HASH, nullable=False),
        of_person("console_link", nullable=False),
        sa.Column("valid_until", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_console_link")),
    )
    op.create_index("ix_console_link_valid_until", "console_link", ["valid_until"])
    op.create_table(
        "console_session",
        sa.Column("hash", HASH, nullable=False),
        of_person("console_session", nullable=True),
        of_site("console_session"),
        sa.Column("instance_id", sa.String(64)),
        sa.Column("uid", sa.String(128)),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("begun_at", sa.Float, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
        sa.Column("fresh_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_console_session")),
    )
    op.create_index("ix_console_session_person", "console_session", ["person_id"])
    op.create_index("ix_console_session_seen_at", "console_session", ["seen_at"])


def make_notes() -> None:
    op.create_table(
        "console_instance",
        sa.Column("hash", HASH, nullable=False),
        sa.Column("valid_until", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_console_instance")),
    )
    op.create_index("ix_console_instance_valid_until", "console_instance", ["valid_until"])
    op.create_table(
        "console_form",
        sa.Column("hash", HASH, nullable=False),
        sa.Column("session_hash", HASH, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("sent_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_console_form")),
    )
    op.create_index("ix_console_form_sent_at", "console_form", ["sent_at"])
    op.create_table(
        "console_attempt",
        sa.Column("hash", HASH, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_console_attempt")),
    )
    op.create_index("ix_console_attempt_since", "console_attempt", ["since"])


def make_tokens() -> None:
    op.create_table(
        "console_token",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("hash", HASH, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        of_site("console_token"),
        sa.Column("made_by", sa.String(128), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("valid_until", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float),
        sa.Column("revoked_at", sa.Float),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_console_token_hash")),
    )


def of_person(table: str, *, nullable: bool) -> sa.Column[int]:
    key = sa.ForeignKey("console_person.id", name=op.f(f"fk_{table}_person_id"))
    return sa.Column("person_id", ROW_ID, key, nullable=nullable)


def of_site(table: str) -> sa.Column[int]:
    key = sa.ForeignKey("site.id", name=op.f(f"fk_{table}_site_id"))
    return sa.Column("site_id", ROW_ID, key)


def downgrade() -> None:
    op.drop_index("ix_audit_what", "audit")
    op.drop_index("ix_audit_actor", "audit")
    for table in TABLES:
        op.drop_table(table)
