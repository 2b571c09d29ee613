"""``ratings-sync prune``: forget what is old enough."""

from __future__ import annotations

from collections import Counter

import click

from sync_worker.wiring import retention_of, wiring


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say how many rows would go.")
def prune(dry_run: bool) -> None:
    """Forget what is older than the RETENTION_ settings say (the scheduler does so every hour).

    \b
    Example: ratings-sync prune --dry-run
    """
    retention, kept = wiring().retention, retention_of(wiring().settings)
    if dry_run:
        counts = {kind: count for kind, count in retention.waiting(kept).items() if count}
    else:
        counts = Counter[str]()
        for kind, count in retention.prune(kept):
            counts[kind] += count
    verb = "would be forgotten" if dry_run else "forgotten"
    click.echo(
        f"{verb}: " + (", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing")
    )
