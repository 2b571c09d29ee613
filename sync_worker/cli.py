"""The ``ratings-sync`` command. Errors of settings and files are words on stderr and status 1, never a traceback."""

from __future__ import annotations

import sys

import click

from sync_worker.cli_conformance import conformance
from sync_worker.cli_connector import connector
from sync_worker.cli_questions import held, history, replay, status
from sync_worker.cli_reconcile import reconcile
from sync_worker.cli_run import demo, flower, migrate, prune, sandbox, up
from sync_worker.cli_setup import map_group, site
from sync_worker.errors import SyncError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ratings-sync")
def cli() -> None:
    """Keep the ratings of a Wix site and of an external review system in step.

    Settings come from the environment and from .env; .env.example lists them all.
    """


connector.add_command(conformance)
for command in (
    site,
    map_group,
    connector,
    reconcile,
    status,
    held,
    replay,
    history,
    up,
    migrate,
    prune,
    flower,
    sandbox,
    demo,
):
    cli.add_command(command)


def main() -> None:
    """The entry point."""
    try:
        cli()
    except SyncError as error:
        click.secho(f"ratings-sync: {error}", err=True, fg="red")
        sys.exit(1)
