"""``ratings-sync imports send``, ``look``, ``run``, ``stop``, ``remove``."""

from __future__ import annotations

from pathlib import Path

import click

from sync_worker.cli.imports.options import IMPORT
from sync_worker.cli.options import FILE, JSON, SITE, WHY, the_site, whoever
from sync_worker.cli.output import print_json, say
from sync_worker.cli.transfer.choice import takes_choice
from sync_worker.services.imports.choosing import Choice
from sync_worker.services.imports.sending import received
from sync_worker.wiring import wiring


@click.command(epilog="Example: ratings-sync imports send reviews.csv --preset judgeme")
@FILE
@SITE
@takes_choice
@JSON
def send(file: Path, site_name: str | None, choice: Choice, as_json: bool) -> None:
    """Send a file: its rows are checked at once, nothing is imported yet."""
    site = the_site(site_name)
    with file.open("rb") as content, received(content, file.name, lambda piece: None) as path:
        sent = wiring().imports.send(whoever(), site.id, path, choice, may_be_own=True)
    if as_json:
        print_json(sent)
        return
    many = sent.counts.get("rejected", 0)
    say(f"import {sent.id}: {sent.row_count} rows, {many} of them cannot be imported")
    say(f"next: ratings-sync imports look {sent.id}")


@click.command(epilog="Example: ratings-sync imports look 12")
@IMPORT
@SITE
@JSON
def look(import_id: int, site_name: str | None, as_json: bool) -> None:
    """Let a worker say what would become of each row; nothing is written."""
    told = wiring().imports.look(whoever(), the_site(site_name).id, import_id)
    _tell(told, as_json=as_json)


@click.command(epilog="Example: ratings-sync imports run 12 --count 340")
@IMPORT
@SITE
@click.option(
    "--count",
    type=click.IntRange(0),
    required=True,
    metavar="N",
    help="How many rows it is about, as `imports show` says: else nothing is done.",
)
@WHY
@JSON
def run(import_id: int, site_name: str | None, count: int, why: str, as_json: bool) -> None:
    """Let the workers import a file, or go on with it."""
    site = the_site(site_name)
    _tell(wiring().imports.run(whoever(), site.id, import_id, count, why), as_json=as_json)


@click.command(epilog='Example: ratings-sync imports stop 12 --why "the wrong file"')
@IMPORT
@SITE
@WHY
@JSON
def stop(import_id: int, site_name: str | None, why: str, as_json: bool) -> None:
    """Begin no further rows; what was imported stays."""
    told = wiring().imports.stop(whoever(), the_site(site_name).id, import_id, why)
    _tell(told, as_json=as_json)


@click.command(epilog="Example: ratings-sync imports remove 12")
@IMPORT
@SITE
@JSON
def remove(import_id: int, site_name: str | None, as_json: bool) -> None:
    """Forget a file and its rows; what was imported stays."""
    told = wiring().imports.remove(whoever(), the_site(site_name).id, import_id)
    _tell(told, as_json=as_json)


def _tell(told: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"sentence": told})
        return
    say(told)
