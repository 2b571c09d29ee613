"""Accounts of many sites: their sealed secrets, addresses and audit, and the source of a site.

A site that is there goes on with what the environment says: the source of its external deliveries
is its connector, as before. What was called ``account`` (a side of a site whose remote refuses us)
is ``site_side`` now; a worker of the version before finds its columns still, and no row with them.
The way back knows one site for a connector, whose settings stand in the
environment: it refuses while a site has an account of its own, or none yet.

Revision ID: 0025
Revises: 0024
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from sync_worker.core.errors import Misconfigured

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
SIDES = "site_id, side, state, since, reason, next_probe_at"
SITE = (
    "id, instance_id, connector, policy, state, created_at, lifecycle_at, deletes_allowed,"
    " deletes_allowed_until, wix_api, wix_api_since, other_fields, wix_learned"
)


def upgrade() -> None:
    move_sides("account", "site_side")
    new = (sa.Column("external_source", sa.String(128)), sa.Column("removed_at", sa.Float))
    if op.get_bind().dialect.name == "sqlite":
        make_site_anew(op.f("uq_site_external_source"), *new)
        op.execute("UPDATE site SET external_source = connector")
    else:
        op.drop_constraint(op.f("uq_site_connector"), "site")
        for column in new:
            op.add_column("site", column)
        op.execute("UPDATE site SET external_source = connector")
        op.create_unique_constraint(op.f("uq_site_external_source"), "site", ["external_source"])
    make_accounts()


def downgrade() -> None:
    refuse_what_would_be_lost()
    for table in ("audit", "account_change", "account_address", "account_secret", "account"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "sqlite":
        make_site_anew(op.f("uq_site_connector"))
    else:
        op.drop_column("site", "external_source")
        op.drop_column("site", "removed_at")
        op.create_unique_constraint(op.f("uq_site_connector"), "site", ["connector"])
    move_sides("site_side", "account")


def refuse_what_would_be_lost() -> None:
    """Raises Misconfigured."""
    site = sa.table("site", sa.column("id"), sa.column("connector"), sa.column("external_source"))
    source = site.c.external_source
    is_other = source.is_(None) | (source != site.c.connector)
    others = sa.select(site.c.id).where(is_other).order_by(site.c.id)
    numbers = list(op.get_bind().execute(others).scalars())
    if numbers:
        shown = ", ".join(map(str, numbers[:20])) + (" and more" if len(numbers) > 20 else "")
        raise Misconfigured(
            f"site {shown} has an account of its own, or none yet: the older version knows only"
            " connectors whose settings stand in the environment, and would lose the account;"
            " stay with this version"
        )


def move_sides(old: str, new: str) -> None:
    op.create_table(
        new,
        sa.Column("site_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("next_probe_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f(f"fk_{new}_site_id")),
        sa.PrimaryKeyConstraint("site_id", "side", name=op.f(f"pk_{new}")),
    )
    op.execute(f"INSERT INTO {new} ({SIDES}) SELECT {SIDES} FROM {old}")  # noqa: S608 - our own names
    op.drop_table(old)


def make_site_anew(unique: str, *more: sa.Column[Any]) -> None:
    """SQLite drops no constraint of a table: its rows are set aside, and come to a new one.

    What points at a site points at nothing for a moment, which is looked at when we commit.
    """
    by = "external_source" if more else "connector"
    op.execute("PRAGMA defer_foreign_keys = ON")
    op.execute(f"CREATE TEMPORARY TABLE site_rows AS SELECT {SITE} FROM site")  # noqa: S608 - ours
    op.drop_table("site")
    op.create_table(
        "site",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("instance_id", sa.String(64), nullable=False),
        sa.Column("connector", sa.String(64), nullable=False),
        *more,
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("lifecycle_at", sa.Float),
        sa.Column("deletes_allowed", sa.Integer, nullable=False, server_default="0"),
        sa.Column("deletes_allowed_until", sa.Float, nullable=False, server_default="0"),
        sa.Column("wix_api", sa.String(16), nullable=False, server_default="ratings"),
        sa.Column("wix_api_since", sa.Float),
        sa.Column("other_fields", sa.Text),
        sa.Column("wix_learned", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("instance_id", name=op.f("uq_site_instance_id")),
        sa.UniqueConstraint(by, name=unique),
    )
    op.execute(f"INSERT INTO site ({SITE}) SELECT {SITE} FROM site_rows")  # noqa: S608 - ours
    op.execute("DROP TABLE site_rows")


def make_accounts() -> None:
    op.create_table(
        "account",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(26), nullable=False),
        sa.Column("site_id", ROW_ID, nullable=False),
        sa.Column("connector", sa.String(64), nullable=False),
        sa.Column("identity", sa.String(512)),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("paused_why", sa.Text, nullable=False),
        sa.Column("probed_at", sa.Float),
        sa.Column("probe", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("revoked_at", sa.Float),
        sa.Column("wiped_at", sa.Float),
        # Read by workers of the version before, until they are upgraded, too.
        sa.Column("side", sa.String(16)),
        sa.Column("since", sa.Float),
        sa.Column("reason", sa.Text),
        sa.Column("next_probe_at", sa.Float),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_account_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("public_id", name=op.f("uq_account_public_id")),
    )
    op.create_index("ix_account_changed", "account", ["changed"])
    op.create_index("ix_account_site_id", "account", ["site_id"])
    for name, where, columns in (
        ("uq_account_site", "state <> 'revoked'", ["site_id"]),
        (
            "uq_account_identity",
            "state <> 'revoked' AND identity IS NOT NULL",
            ["connector", "identity"],
        ),
    ):
        only = sa.text(where)
        op.create_index(
            name, "account", columns, unique=True, sqlite_where=only, postgresql_where=only
        )
    make_parts_of_accounts()
    make_audit()


def make_parts_of_accounts() -> None:
    op.create_table(
        "account_secret",
        sa.Column("account_id", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("previous", sa.Text),
        sa.Column("previous_until", sa.Float),
        sa.Column("changed_at", sa.Float, nullable=False),
        of_account("account_secret"),
        sa.PrimaryKeyConstraint("account_id", "name", name=op.f("pk_account_secret")),
    )
    op.create_table(
        "account_address",
        sa.Column("address", sa.String(26), nullable=False),
        sa.Column("account_id", ROW_ID, nullable=False),
        sa.Column("valid_until", sa.Float),
        of_account("account_address"),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_account_address")),
    )
    op.create_index("ix_account_address_account_id", "account_address", ["account_id"])
    op.create_table(
        "account_change",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_change")),
    )
    op.execute("INSERT INTO account_change (id, counter) VALUES (1, 0)")


def make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("site_id", ROW_ID),
        sa.Column("account_id", ROW_ID),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("values_before", sa.Text, nullable=False),
        sa.Column("values_after", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_audit_site_id")),
        of_account("audit"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_site", "audit", ["site_id", "id"])
    op.create_index("ix_audit_account", "audit", ["account_id", "id"])


def of_account(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_account_id")
    return sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=name)
