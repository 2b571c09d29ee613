"""``ratings-sync migrate``: the schema of the ledger."""

from __future__ import annotations

import click

from sync_worker.cli.asking import agree
from sync_worker.ledger.opening import place_of, refuse_step_back, step_back
from sync_worker.wiring import wiring


@click.command()
@click.option(
    "--to",
    "revision",
    metavar="REVISION",
    help="Back to an earlier schema; stop all processes first. Asks before it does.",
)
@click.option("--yes", is_flag=True, help="With --to: do not ask.")
def migrate(revision: str | None, yes: bool) -> None:
    """Bring the ledger's database to the newest schema (every process does so at its start).

    \b
    Example: ratings-sync migrate
    """
    if yes and revision is None:
        raise click.UsageError("--yes goes with --to; plain migrate asks nothing")
    parts = wiring()
    if revision is None:
        parts.may_begin_ledger()
        _ = parts.admin
        click.echo("the ledger has the newest schema")
        return
    database = parts.settings.database
    refuse_step_back(database, revision)
    agree(
        f"Step the ledger ({place_of(database)}) back to schema {revision}? What later schemas"
        " added is deleted, and every process has to be stopped first.",
        "--yes",
        is_given=yes,
    )
    step_back(database, revision)
    click.echo(f"the ledger has the schema {revision}")
