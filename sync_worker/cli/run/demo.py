"""``ratings-sync demo``: a story that shows the sync, with no account and no server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from sync_sandbox.demo import play, replay_file


@click.command()
@click.option("--once", is_flag=True, help="Exit after the verdict; status 0 only if it is good.")
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
def demo(once: bool, file: Path | None, limit: int, seed: int) -> None:
    """A two-way story, or a replay of real ratings (userId,movieId,rating,timestamp), all on this
    machine.

    \b
    Example: ratings-sync demo --once
    """
    once = once or not sys.stdout.isatty()
    base = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LANG", "TMPDIR", "TERM")
    }
    good = replay_file(base, file, limit=limit, seed=seed) if file else play(base, once=once)
    sys.exit(0 if good else 1)
