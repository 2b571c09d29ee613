"""``ratings-sync account set``, ``pause``, ``resume`` and ``revoke``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from sync_worker.cli.account.options import (
    ACCOUNT,
    SAME_SHOP,
    VERSION,
    WHY,
    Span,
    the_account,
)
from sync_worker.cli.account.shown import document, say_account
from sync_worker.cli.account.values import asked, given_values, value_options
from sync_worker.cli.asking import agree
from sync_worker.cli.options import JSON, actor
from sync_worker.cli.output import print_json
from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Account
from sync_worker.services.accounts.accounts import KEEP_OLD_SECONDS
from sync_worker.wiring import wiring


@click.command(
    "set",
    epilog="Example: ratings-sync account set 7 webhook_secret --keep-old 24h",
)
@ACCOUNT
@click.argument("names", nargs=-1, metavar="[NAME]...")
@value_options
@click.option(
    "--keep-old",
    "keep_old_seconds",
    type=Span(),
    default=KEEP_OLD_SECONDS,
    metavar="SPAN",
    help="How long the value before of a secret that rotates stays valid: 24h, 7d, 0. By default a"
    " day.",
)
@SAME_SHOP
@VERSION
@JSON
def change(
    name: str,
    names: Sequence[str],
    pairs: Sequence[str],
    files: Sequence[str],
    document_file: str | None,
    keep_old_seconds: float,
    is_same_shop: bool,
    version: int | None,
    as_json: bool,
) -> None:
    """Give some values of an account anew.

    A NAME without a value is asked for, a secret unseen; an optional one that is empty is left out
    from now on. Running processes take it up within two seconds.
    """
    found = the_account(name)
    manifest = wiring().connectors.code_of(found.connector).code
    given = given_values(manifest, pairs, files, document_file)
    unknown = [one for one in names if one not in {spec.name for spec in manifest.settings}]
    given |= asked(manifest, names, given) | dict.fromkeys(unknown, "")
    if not given:
        raise Misconfigured(
            "nothing is given: name what to ask for at a terminal, or use --set, --from-file or"
            " --values"
        )
    changed = wiring().accounts.change(
        found,
        given,
        actor(),
        version=version,
        keep_old_seconds=keep_old_seconds,
        is_same_shop=is_same_shop,
    )
    _tell(changed, as_json=as_json)


@click.command("pause", epilog="Example: ratings-sync account pause 7 --why 'the shop moves'")
@ACCOUNT
@WHY
@VERSION
@JSON
def pause(name: str, why: str, version: int | None, as_json: bool) -> None:
    """Keep the deliveries of an account, and let them wait.

    `site pause` does the same for the whole site, and wins.
    """
    _tell(
        wiring().accounts.pause(the_account(name), why, actor(), version=version), as_json=as_json
    )


@click.command("resume", epilog="Example: ratings-sync account resume 7")
@ACCOUNT
@VERSION
@JSON
def resume(name: str, version: int | None, as_json: bool) -> None:
    """Let an account go on, with what has waited."""
    _tell(wiring().accounts.resume(the_account(name), actor(), version=version), as_json=as_json)


@click.command("revoke", epilog="Example: ratings-sync account revoke 7 --yes --why 'key leaked'")
@ACCOUNT
@WHY
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
def revoke(name: str, why: str, yes: bool, as_json: bool) -> None:
    """End an account: its secrets and addresses open nothing more, within two seconds.

    The maps and links of its site stay; `account add` gives the site another one.
    """
    found = the_account(name)
    agree(f"End account {found.public_id} of site {found.site_id} for good?", "--yes", is_given=yes)
    _tell(wiring().accounts.revoke(found, why, actor()), as_json=as_json)


def _tell(account: Account, *, as_json: bool) -> None:
    if as_json:
        print_json(document(account))
    else:
        say_account(account)
