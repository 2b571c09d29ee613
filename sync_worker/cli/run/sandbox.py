"""``ratings-sync sandbox``: stand-ins for both remotes."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import click

from sync_sandbox.server import PLATFORMS, Sandbox, SandboxOptions
from sync_worker.cli.run.stopping import stop_event
from sync_worker.core.errors import Misconfigured

WRITTEN_BY_US = "# Written by `ratings-sync sandbox`; written anew unless you change it:"


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
    "--env-file",
    type=click.Path(path_type=Path),
    help="Write the settings for ratings-sync here; a file of yours is never overwritten.",
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
    if platform is not None and platform not in PLATFORMS:
        raise click.BadParameter(
            f"{platform!r} is none of {', '.join(PLATFORMS)}", param_hint="--platform"
        )
    if env_file is not None:
        _refuse_to_overwrite(env_file)
        _refuse_to_overwrite(env_file.parent / f"{platform}-sandbox.yaml")
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
            _write_settings(box, env_file)
        click.echo("Ctrl-C stops both.")
        sys.stdout.flush()
        stopped.wait()


def _write_settings(box: Sandbox, env_file: Path) -> None:
    settings = "".join(f"{name}={value}\n" for name, value in box.settings().items())
    _write(env_file, settings)
    if box.options.platform is not None:
        _write(env_file.parent / f"{box.connector}.yaml", box.manifest())
    click.echo(f"settings for ratings-sync are in {env_file}; Wix instance: {box.wix.instance_id}")


def _write(file: Path, content: str) -> None:
    """Only its owner may read it. Raises Misconfigured."""
    try:
        file.touch(mode=0o600)
        file.write_text(f"{_mark(content)}\n{content}", encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"cannot write {file} ({error.strerror})") from None


def _mark(content: str) -> str:
    """The first line of a file of ours; it no longer fits once a person has changed the file."""
    return f"{WRITTEN_BY_US} {hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _refuse_to_overwrite(file: Path) -> None:
    """Raises Misconfigured if a file is there that we have not written, or that was changed."""
    try:
        first, _, content = file.read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        first, content = "", ""
    if first == _mark(content):
        return
    why = "was changed since" if first.startswith(WRITTEN_BY_US) else "is not from the sandbox"
    raise Misconfigured(
        f"{file} {why} and stays as it is; name another file, or start the sandbox in an empty"
        " folder"
    )
