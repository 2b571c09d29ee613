"""Files of ratings that people send to the console, row by row, for the workers to import.

The way back forgets these files; what was imported stays.

Revision ID: 0042
Revises: 0041
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "import_file",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        of_site("import_file"),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("phase", sa.String(8), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("reason", sa.String(512), nullable=False),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("shape", sa.Text, nullable=False),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("writes", sa.Text, nullable=False),
        sa.Column("run_id", ROW_ID),
        sa.Column("is_wiped", sa.Boolean, nullable=False),
        sa.Column("sent_at", sa.Float, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_file")),
    )
    op.create_index("ix_import_file_site_id_id", "import_file", ["site_id", "id"])
    op.execute("CREATE INDEX ix_import_file_due ON import_file (due_at) WHERE state = 'working'")
    make_rows()


def make_rows() -> None:
    op.create_table(
        "import_row",
        sa.Column("import_id", ROW_ID, nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        of_site("import_row"),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("problem", sa.String(512), nullable=False),
        sa.Column("email", sa.String(320)),
        sa.Column("what", sa.String(16)),
        sa.Column("place", sa.String(256), nullable=False),
        sa.Column("reason", sa.String(512), nullable=False),
        sa.Column("differs", sa.Boolean, nullable=False),
        sa.Column("entity_id", ROW_ID),
        sa.Column("contact_id", sa.String(400)),
        sa.Column("attributes", sa.Text),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import_file.id"], name=op.f("fk_import_row_import_id")
        ),
        sa.PrimaryKeyConstraint("import_id", "line", name=op.f("pk_import_row")),
    )
    op.create_index("ix_import_row_site_id_email", "import_row", ["site_id", "email"])
    op.create_index(
        "ix_import_row_import_id_what_line", "import_row", ["import_id", "what", "line"]
    )


def of_site(table: str) -> sa.Column[int]:
    name = op.f(f"fk_{table}_site_id")
    return sa.Column("site_id", ROW_ID, sa.ForeignKey("site.id", name=name), nullable=False)


def downgrade() -> None:
    op.drop_table("import_row")
    op.drop_table("import_file")
