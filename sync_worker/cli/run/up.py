"""``ratings-sync up``: everything of one machine, in the foreground."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from sync_worker.cli.asking import agree
from sync_worker.cli.run.stopping import stop_event
from sync_worker.config import environment, load_settings
from sync_worker.files.state_folder import LEDGER_FILE
from sync_worker.runtime.local.line_log import LineLog
from sync_worker.runtime.local.single_machine import Installation
from sync_worker.wiring import installation, wiring
from sync_worker.wiring.console_entry import way_in


@click.command()
@click.option(
    "--flower",
    "flower_port",
    type=int,
    metavar="PORT",
    help="Also the Flower dashboard, on loopback.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="More than one: PostgreSQL only.",
)
@click.option(
    "--console/--no-console",
    "with_console",
    default=True,
    help="Also pages in the browser, at CONSOLE_BIND, where the [console] extra is installed.",
)
@click.option("--new", is_flag=True, help="Begin with a new, empty ledger if this folder has none.")
def up(flower_port: int | None, workers: int, with_console: bool, new: bool) -> None:
    """Gateway, worker, scheduler, console and (unless REDIS_URL is set) Redis on this machine;
    Ctrl-C stops them together.

    \b
    Example: ratings-sync up --flower 5555
    """
    environ = environment()
    _ask_for_a_new_ledger(environ, is_wanted=new)
    stopped, log = stop_event(), LineLog()
    try:
        parts = installation(
            environ,
            log.say,
            workers=workers,
            flower_port=flower_port,
            with_console=with_console,
        )
        with parts:
            for line in _addresses(parts, flower_port):
                log.write(line)
            parts.watch(stopped.is_set)
    finally:
        log.close()


def _ask_for_a_new_ledger(environ: Mapping[str, str], *, is_wanted: bool) -> None:
    """In another folder than before, an empty ledger would begin beside the one with all links."""
    settings = load_settings(environ)
    file = settings.ratings_sync_home.absolute() / LEDGER_FILE
    if settings.database_url is not None or file.exists():
        return
    agree(
        f"There is no ledger at {file}: begin with a new, empty one? If you have one, run this in"
        " its folder, or set RATINGS_SYNC_HOME.",
        "--new",
        is_given=is_wanted,
    )


def _addresses(parts: Installation, flower_port: int | None) -> Iterator[str]:
    """What a person looks for first."""
    gateway = parts.gateway_url
    yield f"gateway: {gateway}  (ready: /readyz)"
    yield f"webhooks of Wix:       POST {gateway}/webhooks/wix"
    for connector in wiring().manifests:
        yield f"webhooks of connector: POST {gateway}/webhooks/external/{connector}"
    if flower_port is not None:
        yield f"dashboard (Flower):    http://127.0.0.1:{flower_port}"
    if parts.has_console:
        yield from way_in(wiring().settings, wiring().admin.transactions)
    yield "Ctrl-C stops all."
