"""``ratings-sync up``: everything of one machine, in the foreground."""

from __future__ import annotations

import click

from sync_worker.cli.run.stopping import stop_event
from sync_worker.config import environment
from sync_worker.wiring import installation, wiring


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
def up(flower_port: int | None, workers: int) -> None:
    """Gateway, worker, scheduler and (unless REDIS_URL is set) Redis on this machine; Ctrl-C stops
    them together.

    \b
    Example: ratings-sync up --flower 5555
    """
    stopped = stop_event()

    def say(name: str, line: str) -> None:
        click.echo(f"{name:>9} | {line}")

    with installation(environment(), say, workers=workers, flower_port=flower_port) as all_parts:
        click.echo(f"gateway: {all_parts.gateway_url}  (ready: /readyz)")
        click.echo(f"webhooks of Wix:       POST {all_parts.gateway_url}/webhooks/wix")
        for connector in wiring().manifests:
            click.echo(
                f"webhooks of connector: POST {all_parts.gateway_url}/webhooks/external/{connector}"
            )
        if flower_port is not None:
            click.echo(f"dashboard (Flower):    http://127.0.0.1:{flower_port}")
        click.echo("Ctrl-C stops all.")
        all_parts.watch(stopped.is_set)
