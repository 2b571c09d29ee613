"""Commands that run things: ``up``, ``migrate``, ``prune``, ``flower``, ``sandbox``, ``demo``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import click

from sync_worker.config import environment
from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.opening import step_back
from sync_worker.runtime.local.commands import flower_command
from sync_worker.wiring import installation, retention_of, wiring


def stop_event() -> threading.Event:
    """Set by SIGINT or SIGTERM."""
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    return stopped


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


@click.command()
@click.option(
    "--to",
    "revision",
    metavar="REVISION",
    help="Back to an earlier schema; stop all processes first.",
)
def migrate(revision: str | None) -> None:
    """Bring the ledger's database to the newest schema (every process does so at its start).

    \b
    Example: ratings-sync migrate
    """
    parts = wiring()
    if revision is None:
        _ = parts.admin
        click.echo("the ledger has the newest schema")
        return
    step_back(parts.settings.database, revision)
    click.echo(f"the ledger has the schema {revision}")


@click.command()
def flower() -> None:
    """The dashboard of the tasks, read-only, at FLOWER_BIND; needs the [flower] extra.

    \b
    Example: ratings-sync flower
    """
    if find_spec("flower") is None:
        raise Misconfigured(
            "Flower is not installed; `pip install 'ratings-sync[flower]'` brings it"
        )
    settings = wiring().settings
    _ = settings.broker, settings.flower_address  # what is wrong shows here, in words
    os.execv(sys.executable, [sys.executable, *flower_command()])  # noqa: S606 - our own command


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


@click.command()
@click.option("--wix-port", type=int, default=8710, show_default=True, help="0: any free port.")
@click.option("--reviews-port", type=int, default=8711, show_default=True, help="0: any free port.")
@click.option(
    "--gateway", default="http://127.0.0.1:8700", show_default=True, help="Where webhooks go."
)
@click.option(
    "--rate", type=int, default=200, show_default=True, help="Wix calls a minute; 0: no limit."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all chances.")
@click.option(
    "--signature", type=click.Choice(["pairs", "standard"]), default="pairs", show_default=True
)
@click.option(
    "--platform", help="woocommerce, fera or bigcommerce in the place of the review service."
)
@click.option(
    "--env-file", type=click.Path(path_type=Path), help="Write the settings for ratings-sync here."
)
def sandbox(
    wix_port: int,
    reviews_port: int,
    gateway: str,
    rate: int,
    seed: int,
    signature: str,
    platform: str | None,
    env_file: Path | None,
) -> None:
    """A stand-in Wix and a stand-in review service: pages to act on, fault switches, counters.
    Ctrl-C stops them.

    With --platform NAME the second one is a shop or review platform with its quirks; --env-file
    then also writes the manifest NAME-sandbox.yaml beside the settings.

    \b
    Example: ratings-sync sandbox --env-file .env
    """
    from sync_sandbox.server import PLATFORMS, Sandbox, SandboxOptions

    if platform is not None and platform not in PLATFORMS:
        raise click.BadParameter(
            f"{platform!r} is none of {', '.join(PLATFORMS)}", param_hint="--platform"
        )

    stopped = stop_event()
    options = SandboxOptions(
        wix_port,
        reviews_port,
        rate_per_minute=rate or None,
        seed=seed,
        signature="standard" if signature == "standard" else "pairs",
        platform=platform,
    )
    with Sandbox(options) as box:
        box.send_webhooks_to(gateway)
        click.echo(f"stand-in Wix:            {box.wix_url}")
        click.echo(f"stand-in {(platform or 'review service') + ':':<16}{box.reviews_url}")
        if env_file is not None:
            env_file.write_text(
                "".join(f"{name}={value}\n" for name, value in box.settings().items())
            )
            if platform is not None:
                (env_file.parent / f"{box.connector}.yaml").write_text(box.manifest())
            click.echo(
                f"settings for ratings-sync are in {env_file}; Wix instance: {box.wix.instance_id}"
            )
        click.echo("Ctrl-C stops both.")
        sys.stdout.flush()
        stopped.wait()


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
    from sync_sandbox.demo import play, replay_file

    once = once or not sys.stdout.isatty()
    base = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LANG", "TMPDIR", "TERM")
    }
    good = replay_file(base, file, limit=limit, seed=seed) if file else play(base, once=once)
    sys.exit(0 if good else 1)
