"""What the commands of sent files take."""

from __future__ import annotations

import click

from sync_worker.cli.options import NUMBER

IMPORT = click.argument("import_id", metavar="IMPORT", type=NUMBER)
