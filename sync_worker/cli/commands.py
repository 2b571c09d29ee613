"""The ``ratings-sync`` command line: which commands there are, and how a call ends.

Errors of settings and files are words on stderr and status 1, an interrupt is one line and status
130; neither is a traceback.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

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
    "account": Lazy(
        "account.group:account", "Accounts: what a shop gives to be connected, on a running fleet."
    ),
    "secrets": Lazy(
        "secrets:secrets", "The keys that seal what accounts give: make, check, change them."
    ),
    "onboard": Lazy(
        "onboard.group:onboard",
        "Bring a site to work by steps that can be left and resumed.",
    ),
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
    "imports": Lazy(
        "imports.group:imports",
        "Files of ratings that workers import: sent here, by API or in the browser.",
    ),
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
    "rating": Lazy(
        "rating.group:rating",
        "One rating: look at it, make both sides the same, undo, compare, stop it, let it go on.",
    ),
    "search": Lazy(
        "search:search",
        "Find ratings by address, name, product or id, also what has not come to one yet, and why.",
    ),
    "history": Lazy(
        "history:history",
        "What was written or decided, with winner, loser and why; of one rating by its id on either"
        " side.",
    ),
    "comparisons": Lazy(
        "comparisons:comparisons",
        "Comparisons of both sides and imports of files, newest first; not the polls.",
    ),
}
RUN = {
    "up": Lazy(
        "run.up:up",
        "Gateway, worker, scheduler, console and (unless REDIS_URL is set) Redis on this machine;"
        " Ctrl-C stops them together.",
    ),
    "console": Lazy(
        "console.group:console",
        "Pages in the browser, at CONSOLE_BIND; needs the [console] extra.",
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
    _open_closed_streams()
    _refuse_what_is_no_text(sys.argv)
    try:
        with interrupts_are_raised():
            status = cli.main(standalone_mode=False)
    except click.ClickException as wrong:
        wrong.show()
        status = wrong.exit_code
    except click.Abort as abort:
        status = _aborted(abort)
    except KeyboardInterrupt:
        click.echo("ratings-sync: interrupted", err=True)
        status = STATUS
    except SyncError as error:
        status = _say_error(str(error))
    except OSError as error:
        status = _say_error(_file_words(error))
    except Exception as error:
        status = _say_error(_unforeseen_words(error))
    sys.exit(_flushed(status))


def _say_error(words: str) -> int:
    """On stderr, where that can be written."""
    from sync_worker.core.outside_words import lines_for_people  # only where something is wrong

    with suppress(OSError):
        click.secho(f"ratings-sync: {lines_for_people(words)}", err=True, fg="red")
    return 1


def _file_words(error: OSError) -> str:
    """What the system refused, and of which file."""
    # Without a reason of the system's it is a library's, whose words may hold a header.
    reason = error.strerror or type(error).__name__
    if error.filename is None and error.errno == errno.ENOSPC:
        return f"cannot write the output ({reason})"
    if error.filename is None:
        return f"cannot read or write ({reason})"
    return f"cannot read or write {os.fspath(str(error.filename))} ({reason})"


def _unforeseen_words(error: Exception) -> str:
    """What happened and where: the error's own words may hold a secret."""
    if os.environ.get("LOG_LEVEL") == "DEBUG":
        traceback.print_tb(error.__traceback__)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"an unforeseen error: {type(error).__name__} in {Path(last.filename).name}, line"
        f" {last.lineno} (LOG_LEVEL=DEBUG shows the way there; please report it)"
    )


def _open_closed_streams() -> None:
    """A program that is started with a closed output has none: what it prints goes nowhere."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end


def _flushed(status: int) -> int:
    """Print what is left now: at its end Python would tell of an error in its own way."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = status or 1  # whoever read it has seen enough
    except OSError as error:
        # Told already where the command itself met it.
        status = status or _say_error(f"cannot write the output ({error.strerror})")
    else:
        return status
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


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
