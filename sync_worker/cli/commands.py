"""The ``ratings-sync`` command line: which commands there are, and how a call ends.

Errors of settings and files are words on stderr and status 1, an interrupt is one line and status
130; neither is a traceback.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import click

from sync_worker.cli.interrupts import STATUS, interrupts_are_raised, is_interrupt
from sync_worker.cli.lazy import Lazy, LazyGroup
from sync_worker.core.errors import SyncError

SET_UP = {
    "setup": Lazy(
        "setup:setup",
        "Set a site up, step by step: settings, connector, site, entities, contacts, fields.",
    ),
    "doctor": Lazy(
        "doctor:doctor",
        "Check settings, database, clocks, Redis, keys, Wix, connectors and gateway; status 1 if"
        " something is wrong.",
    ),
    "site": Lazy("site:site", "Connect sites and set their policies."),
    "map": Lazy(
        "map.group:map_group",
        "Map entities, contacts and fields from CSV files; a file is imported whole or not at all.",
    ),
    "connector": Lazy(
        "connector.group:connector",
        "Connectors: manifests that say how an external review system is read, written and heard.",
    ),
    "reconcile": Lazy(
        "reconcile.command:reconcile",
        "Compare both sides whole, show the plan, and bring them in step.",
    ),
    "export": Lazy("transfer.export:export", "Ratings into a CSV or JSONL file, streaming."),
    "import": Lazy("transfer.import_:import_ratings", "Ratings of a CSV or JSONL file into Wix."),
}
ASK = {
    "status": Lazy(
        "status:status",
        "What is wrong now, what is on its way, what is held and why, and how many ratings are"
        " linked.",
    ),
    "held": Lazy(
        "held.group:held",
        "Deliveries that wait for a person or for something to arrive, oldest first.",
    ),
    "replay": Lazy(
        "held.change:replay",
        "Put deliveries back to work, held or ended: each is compared with both sides as they are"
        " now.",
    ),
    "history": Lazy(
        "history:history",
        "What was written or decided, with winner, loser and why; of one rating by its id on either"
        " side.",
    ),
}
RUN = {
    "up": Lazy(
        "run.up:up",
        "Gateway, worker, scheduler and (unless REDIS_URL is set) Redis on this machine; Ctrl-C"
        " stops them together.",
    ),
    "migrate": Lazy(
        "run.migrate:migrate",
        "Bring the ledger's database to the newest schema (every process does so at its start).",
    ),
    "prune": Lazy(
        "run.prune:prune",
        "Forget what is older than the RETENTION_ settings say (the scheduler does so every hour).",
    ),
    "flower": Lazy(
        "run.flower:flower",
        "The dashboard of the tasks, read-only, at FLOWER_BIND; needs the [flower] extra.",
    ),
    "sandbox": Lazy(
        "run.sandbox:sandbox",
        "A stand-in Wix and a stand-in review service: pages to act on, fault switches, counters.",
    ),
    "demo": Lazy(
        "run.demo:demo",
        "A two-way story, or a replay of real ratings (userId,movieId,rating,timestamp), all on"
        " this machine.",
    ),
}


@click.group(
    cls=LazyGroup,
    lazy=SET_UP | ASK | RUN,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="ratings-sync")
def cli() -> None:
    """Keep the ratings of a Wix site and of an external review system in step.

    \b
    Example: ratings-sync setup

    Settings come from the environment and from .env; .env.example lists them all.
    """


def run() -> None:
    """Run the command line of this process, and exit."""
    cli.before_loading = log_errors_only
    _refuse_what_is_no_text(sys.argv)
    try:
        with interrupts_are_raised():
            status = cli.main(standalone_mode=False)
    except click.ClickException as wrong:
        wrong.show()
        status = wrong.exit_code
    except click.Abort as abort:
        status = _aborted(abort)
    except SyncError as error:
        click.secho(f"ratings-sync: {error}", err=True, fg="red")
        status = 1
    sys.exit(status)


def _refuse_what_is_no_text(words: Sequence[str]) -> None:
    """Bytes that are not UTF-8 come as characters that no database and no terminal takes."""
    try:
        "".join(words).encode()
    except UnicodeEncodeError:
        click.echo("ratings-sync: an argument is no text: it is not in UTF-8", err=True)
        sys.exit(2)


def _aborted(abort: click.Abort) -> int:
    if is_interrupt(abort):
        click.echo("ratings-sync: interrupted", err=True)
        return STATUS
    click.echo("Aborted!", err=True)
    return 1


def log_errors_only() -> None:
    """What a command prints is its answer: logs of errors go to stderr, others nowhere."""
    import structlog  # for commands at work only: help and version need none

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
