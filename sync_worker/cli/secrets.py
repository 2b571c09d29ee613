"""``ratings-sync secrets``: the keys that seal what accounts give."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from sync_worker.cli.options import JSON
from sync_worker.cli.output import print_json, say
from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.accounts.sealing import new_key, public_of
from sync_worker.services.accounts.resealing import Resealing, Sealed
from sync_worker.wiring import wiring
from sync_worker.wiring.secret_keys import MISSING, opener, opening_keys, sealer

SHOWN = 20  # secrets that do not open


@click.group(epilog="Example: ratings-sync secrets check")
def secrets() -> None:
    """The keys that seal what accounts give: make, check, change them.

    SECRETS_KEY holds them: the first seals, all open.
    """


@secrets.command("new-key", epilog="Example: ratings-sync secrets new-key > secrets_key")
@JSON
def make_key(as_json: bool) -> None:
    """Print a new key for SECRETS_KEY. Keep a copy apart from the backups of the database."""
    key = new_key()
    if as_json:
        print_json({"key": key, "public_key": public_of(key)})
    else:
        click.echo(key)


@secrets.command("public-key", epilog="Example: ratings-sync secrets public-key")
@JSON
def public_key(as_json: bool) -> None:
    """Print the key that only seals (SECRETS_SEALING_KEY), of the first one of SECRETS_KEY."""
    keys = opening_keys(wiring().settings)
    if not keys:
        raise Misconfigured(MISSING)
    public = public_of(keys[0])
    if as_json:
        print_json({"public_key": public})
    else:
        click.echo(public)


@secrets.command("check", epilog="Example: ratings-sync secrets check --json")
@JSON
def check(as_json: bool) -> None:
    """Open every secret: how many are sealed for the first key, for another, for none of ours.

    Status 1 if one does not open.
    """
    _end(Resealing(wiring().admin.sealed, opener(wiring().settings)).check(), as_json=as_json)


@secrets.command("rotate", epilog="Example: ratings-sync secrets rotate")
@click.option("--batch", type=click.IntRange(1, 1000), default=100, show_default=True, metavar="N")
@JSON
def rotate(batch: int, as_json: bool) -> None:
    """Seal every secret anew for the first key, in batches, while everything runs.

    Every gateway and worker needs that key first: start them again before. It may be stopped and
    started again: what is sealed for the first key already stays as it is.
    Status 1 if one does not open.
    """
    settings = wiring().settings
    ours = opener(settings)
    if wiring().admin.sealed.keys_in_use().keys() - {ours.current_id}:
        _name_processes(ours.current_id)
    resealing = Resealing(wiring().admin.sealed, ours)
    _end(resealing.rotate(sealer(settings), batch), as_json=as_json)


def _name_processes(key_id: str) -> None:
    """A process takes up its keys as it starts; what it cannot open from now on waits."""
    alive = [one for one in wiring().admin.heartbeats.all() if one.is_alive]
    if not alive:
        return
    say(
        f"every process needs key {key_id}: ratings of accounts wait (account_locked) at one that"
        " started before SECRETS_KEY held it; start them again before, or now:",
        err=True,
        fg="yellow",
    )
    for one in alive[:SHOWN]:
        began = datetime.fromtimestamp(one.started_at, UTC)
        say(f"  {one.kind} on {one.name}, started {began:%Y-%m-%d %H:%M} UTC", err=True)


def _end(done: Sealed, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        click.echo(
            f"{done.current} sealed for the first key, {done.resealed} of them anew;"
            f" {done.other} for another key; {len(done.locked)} that do not open"
        )
        for words in done.locked[:SHOWN]:
            say(f"  {words}", fg="red")
    raise SystemExit(1 if done.locked else 0)
