"""``ratings-sync demo``: a story that shows the sync, with no account and no server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from sync_sandbox.demo import play, replay_file

NO_TERMINAL = "Without a terminal the demo ends here; with --stay it stays up, the console too."


@click.command()
@click.option(
    "--once/--stay",
    default=None,
    help="Exit after the verdict (status 0 only if it is good), or stay up to be tried; without"
    " either it stays in a terminal.",
)
@click.option(
    "--replay",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Ratings as CSV.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Only the last so many of FILE.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all chances of a replay.")
def demo(once: bool | None, file: Path | None, limit: int, seed: int) -> None:
    """A two-way story, or a replay of real ratings (userId,movieId,rating,timestamp), all on this
    machine.

    \b
    Example: ratings-sync demo --once
    """
    base = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LANG", "TMPDIR", "TERM")
    }
    if file is not None:
        sys.exit(0 if replay_file(base, file, limit=limit, seed=seed) else 1)
    ends = not sys.stdout.isatty() if once is None else once
    good = play(base, once=ends)
    if ends and once is None:
        click.echo(NO_TERMINAL)
    sys.exit(0 if good else 1)
