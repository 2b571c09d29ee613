"""``ratings-sync migrate``: the schema of the ledger."""

from __future__ import annotations

import click

from sync_worker.ledger.opening import step_back
from sync_worker.wiring import wiring


@click.command()
@click.option(
    "--to",
    "revision",
    metavar="REVISION",
    help="Back to an earlier schema; stop all processes first.",
)
def migrate(revision: str | None) -> None:
    """Bring the ledger's database to the newest schema (every process does so at its start).

    \b
    Example: ratings-sync migrate
    """
    parts = wiring()
    if revision is None:
        _ = parts.admin
        click.echo("the ledger has the newest schema")
        return
    step_back(parts.settings.database, revision)
    click.echo(f"the ledger has the schema {revision}")
