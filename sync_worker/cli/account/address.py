"""``ratings-sync account address``: where an account's webhooks go."""

from __future__ import annotations

import click

from sync_worker.cli.account.options import ACCOUNT, Span, the_account
from sync_worker.cli.account.shown import addresses, say_addresses
from sync_worker.cli.options import JSON, actor
from sync_worker.cli.output import print_json
from sync_worker.services.accounts.accounts import KEEP_OLD_SECONDS
from sync_worker.wiring import wiring


@click.group("address", epilog="Example: ratings-sync account address rotate 7")
def address() -> None:
    """The address of an account's webhooks."""


@address.command("show", epilog="Example: ratings-sync account address show 7 --json")
@ACCOUNT
@JSON
def show_address(name: str, as_json: bool) -> None:
    """Where the external system sends this account's webhooks to."""
    found = the_account(name)
    if as_json:
        print_json({"account": found.public_id, "addresses": addresses(found)})
    else:
        say_addresses(found)


@address.command("rotate", epilog="Example: ratings-sync account address rotate 7 --keep-old 24h")
@ACCOUNT
@click.option(
    "--keep-old",
    "keep_old_seconds",
    type=Span(),
    default=KEEP_OLD_SECONDS,
    metavar="SPAN",
    help="How long the old address stays valid: 24h, 7d, 0. By default a day.",
)
@JSON
def rotate(name: str, keep_old_seconds: float, as_json: bool) -> None:
    """A new address, and a day for the old one.

    Where we manage the webhooks of a system, they are registered again by themselves; elsewhere
    paste the new address there.
    """
    accounts = wiring().accounts
    found = the_account(name)
    accounts.rotate_address(found, actor(), keep_old_seconds)
    found = the_account(found.public_id)
    if as_json:
        print_json({"account": found.public_id, "addresses": addresses(found)})
    else:
        say_addresses(found)
