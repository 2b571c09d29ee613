"""The first schema."""

import sqlalchemy as sa
from alembic import op

from sync_worker.ledger.column_types import ExactJSON

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("instance_id", sa.String(length=64), nullable=False),
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("policy", ExactJSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("connector", name=op.f("uq_site_connector")),
        sa.UniqueConstraint("instance_id", name=op.f("uq_site_instance_id")),
    )
    op.create_table(
        "contact_map",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("wix_contact_id", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=True),
        sa.Column("external_author_id", sa.String(length=256), nullable=True),
        sa.Column("redirect_to", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_contact_map_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_map")),
        sa.UniqueConstraint("site_id", "email", name=op.f("uq_contact_map_site_id_email")),
    )
    op.create_index(
        op.f("ix_contact_map_site_id_wix_contact_id"),
        "contact_map",
        ["site_id", "wix_contact_id"],
        unique=False,
    )
    op.create_table(
        "entity_map",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("wix_namespace", sa.String(length=64), nullable=False),
        sa.Column("wix_group", sa.String(length=128), nullable=False),
        sa.Column("wix_entity_id", sa.String(length=256), nullable=False),
        sa.Column("external_group", sa.String(length=128), nullable=False),
        sa.Column("external_entity_id", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_entity_map_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entity_map")),
        sa.UniqueConstraint(
            "site_id",
            "external_group",
            "external_entity_id",
            name=op.f("uq_entity_map_site_id_external_group_external_entity_id"),
        ),
        sa.UniqueConstraint(
            "site_id",
            "wix_namespace",
            "wix_group",
            "wix_entity_id",
            name=op.f("uq_entity_map_site_id_wix_namespace_wix_group_wix_entity_id"),
        ),
    )
    op.create_table(
        "field_map",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("wix_attribute", sa.String(length=128), nullable=False),
        sa.Column("external_field", sa.String(length=128), nullable=False),
        sa.Column("wix_min", sa.String(length=32), nullable=False),
        sa.Column("wix_max", sa.String(length=32), nullable=False),
        sa.Column("wix_step", sa.String(length=32), nullable=False),
        sa.Column("external_min", sa.String(length=32), nullable=False),
        sa.Column("external_max", sa.String(length=32), nullable=False),
        sa.Column("external_step", sa.String(length=32), nullable=False),
        sa.Column("mapping", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_field_map_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_map")),
        sa.UniqueConstraint(
            "site_id", "external_field", name=op.f("uq_field_map_site_id_external_field")
        ),
        sa.UniqueConstraint(
            "site_id", "wix_attribute", name=op.f("uq_field_map_site_id_wix_attribute")
        ),
    )
    op.create_table(
        "run",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cursor", ExactJSON(), nullable=True),
        sa.Column("counts", ExactJSON(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_run_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_table(
        "link",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("contact_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("external_id", sa.String(length=512), nullable=True),
        sa.Column("external_revision", sa.BigInteger(), nullable=True),
        sa.Column("external_sequence", sa.BigInteger(), nullable=True),
        sa.Column("external_state", sa.String(length=16), nullable=True),
        sa.Column("external_record", ExactJSON(), nullable=True),
        sa.Column("writes", ExactJSON(), nullable=False),
        sa.ForeignKeyConstraint(["entity_id"], ["entity_map.id"], name=op.f("fk_link_entity_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_link_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
        sa.UniqueConstraint(
            "site_id", "entity_id", "contact_id", name=op.f("uq_link_site_id_entity_id_contact_id")
        ),
        sa.UniqueConstraint("site_id", "external_id", name=op.f("uq_link_site_id_external_id")),
    )
    op.create_table(
        "history",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=True),
        sa.Column("attribute", sa.String(length=128), nullable=False),
        sa.Column("before", sa.String(length=32), nullable=True),
        sa.Column("after", sa.String(length=32), nullable=True),
        sa.Column("loser", sa.String(length=32), nullable=True),
        sa.Column("loser_side", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.String(length=512), nullable=False),
        sa.Column("intent_id", sa.String(length=36), nullable=False),
        sa.Column("inbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["link.id"], name=op.f("fk_history_link_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_history_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index("ix_history_link", "history", ["link_id", "id"], unique=False)
    op.create_index("ix_history_recent", "history", ["site_id", "side", "what", "at"], unique=False)
    op.create_table(
        "inbox",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("dedupe_id", sa.String(length=512), nullable=True),
        sa.Column("change", sa.String(length=32), nullable=False),
        sa.Column("remote_id", sa.String(length=512), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("is_restore", sa.Boolean(), nullable=False),
        sa.Column("is_ours", sa.Boolean(), nullable=False),
        sa.Column("privacy", sa.Boolean(), nullable=False),
        sa.Column("event_time", sa.String(length=40), nullable=True),
        sa.Column("payload", ExactJSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=128), nullable=False),
        sa.Column("hold_key", sa.String(length=600), nullable=True),
        sa.Column("must_read", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column("next_attempt_at", sa.Float(), nullable=False),
        sa.Column("closed_at", sa.Float(), nullable=True),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["link.id"], name=op.f("fk_inbox_link_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_inbox_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
    )
    op.create_index(
        "ix_inbox_due",
        "inbox",
        ["next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('new', 'taken')"),
        postgresql_where=sa.text("state IN ('new', 'taken')"),
    )
    op.create_index(
        "ix_inbox_held",
        "inbox",
        ["reason", "hold_key"],
        unique=False,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index("ix_inbox_link", "inbox", ["link_id", "state"], unique=False)
    op.create_index(
        "ix_inbox_remote", "inbox", ["side", "source", "remote_id", "revision"], unique=False
    )
    op.create_index("uq_inbox_dedupe", "inbox", ["side", "source", "dedupe_id"], unique=True)
    op.create_index(
        "uq_inbox_thin",
        "inbox",
        ["side", "source", "remote_id", "change"],
        unique=True,
        sqlite_where=sa.text("state = 'new' AND dedupe_id IS NULL"),
        postgresql_where=sa.text("state = 'new' AND dedupe_id IS NULL"),
    )
    op.create_table(
        "intent",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("attribute", sa.String(length=128), nullable=False),
        sa.Column("operation", sa.String(length=16), nullable=False),
        sa.Column("targets", ExactJSON(), nullable=False),
        sa.Column("sources", ExactJSON(), nullable=False),
        sa.Column("befores", ExactJSON(), nullable=False),
        sa.Column("reasons", ExactJSON(), nullable=False),
        sa.Column("is_privacy", sa.Boolean(), nullable=False),
        sa.Column("remote_id", sa.String(length=512), nullable=True),
        sa.Column("base_revision", sa.BigInteger(), nullable=True),
        sa.Column("source_ids", ExactJSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("closed_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["link.id"], name=op.f("fk_intent_link_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_intent_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
    )
    op.create_index(
        "uq_intent_open",
        "intent",
        ["link_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "link_value",
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("attribute", sa.String(length=128), nullable=False),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("wix_id", sa.String(length=64), nullable=True),
        sa.Column("wix_revision", sa.BigInteger(), nullable=True),
        sa.Column("wix_sequence", sa.BigInteger(), nullable=True),
        sa.Column("wix_state", sa.String(length=16), nullable=True),
        sa.Column("base_wix", sa.String(length=32), nullable=True),
        sa.Column("base_external", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["link.id"], name=op.f("fk_link_value_link_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_link_value_site_id")),
        sa.PrimaryKeyConstraint("link_id", "attribute", name=op.f("pk_link_value")),
        sa.UniqueConstraint("site_id", "wix_id", name=op.f("uq_link_value_site_id_wix_id")),
    )
    op.create_table(
        "tombstone",
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("remote_id", sa.String(length=512), nullable=False),
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("privacy", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["link.id"], name=op.f("fk_tombstone_link_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_tombstone_site_id")),
        sa.UniqueConstraint(
            "site_id", "side", "remote_id", name=op.f("uq_tombstone_site_id_side_remote_id")
        ),
    )


def downgrade() -> None:
    op.drop_table("tombstone")
    op.drop_table("link_value")
    op.drop_index(
        "uq_intent_open",
        table_name="intent",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_table("intent")
    op.drop_index(
        "uq_inbox_thin",
        table_name="inbox",
        sqlite_where=sa.text("state = 'new' AND dedupe_id IS NULL"),
        postgresql_where=sa.text("state = 'new' AND dedupe_id IS NULL"),
    )
    op.drop_index("uq_inbox_dedupe", table_name="inbox")
    op.drop_index("ix_inbox_remote", table_name="inbox")
    op.drop_index("ix_inbox_link", table_name="inbox")
    op.drop_index(
        "ix_inbox_held",
        table_name="inbox",
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.drop_index(
        "ix_inbox_due",
        table_name="inbox",
        sqlite_where=sa.text("state IN ('new', 'taken')"),
        postgresql_where=sa.text("state IN ('new', 'taken')"),
    )
    op.drop_table("inbox")
    op.drop_index("ix_history_recent", table_name="history")
    op.drop_index("ix_history_link", table_name="history")
    op.drop_table("history")
    op.drop_table("link")
    op.drop_table("run")
    op.drop_table("field_map")
    op.drop_table("entity_map")
    op.drop_index(op.f("ix_contact_map_site_id_wix_contact_id"), table_name="contact_map")
    op.drop_table("contact_map")
    op.drop_table("site")
