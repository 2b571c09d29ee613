"""The ``ratings-sync`` command.

Errors of settings and files are words on stderr and status 1, never a traceback.
"""

from __future__ import annotations

import logging
import sys

import click
import structlog

from sync_worker.cli.conformance import conformance
from sync_worker.cli.connector import connector
from sync_worker.cli.doctor import doctor
from sync_worker.cli.held import held, replay
from sync_worker.cli.map import map_group
from sync_worker.cli.questions import history, status
from sync_worker.cli.reconcile import reconcile
from sync_worker.cli.run import demo, flower, migrate, prune, sandbox, up
from sync_worker.cli.setup import setup  # brings the proposals, which join the map commands
from sync_worker.cli.site import site
from sync_worker.cli.transfer import export, import_ratings
from sync_worker.core.errors import SyncError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ratings-sync")
def cli() -> None:
    """Keep the ratings of a Wix site and of an external review system in step.

    \b
    Example: ratings-sync setup

    Settings come from the environment and from .env; .env.example lists them all.
    """


connector.add_command(conformance)
SET_UP = (setup, doctor, site, map_group, connector, reconcile, export, import_ratings)
ASK = (status, held, replay, history)
RUN = (up, migrate, prune, flower, sandbox, demo)
for command in (*SET_UP, *ASK, *RUN):
    cli.add_command(command)


def main() -> None:
    """The entry point.

    What a command prints is its answer: logs of errors go to stderr, others nowhere.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        cli()
    except SyncError as error:
        click.secho(f"ratings-sync: {error}", err=True, fg="red")
        sys.exit(1)
