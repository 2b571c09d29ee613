"""``ratings-sync account add``: a site's external account, given at any hour."""

from __future__ import annotations

import click

from sync_worker.cli.account.options import SAME_SHOP
from sync_worker.cli.account.shown import document, say_account
from sync_worker.cli.account.values import asked, given_values, value_options
from sync_worker.cli.options import JSON, actor
from sync_worker.cli.output import print_json
from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Site
from sync_worker.wiring import wiring
from sync_worker.wiring.secret_keys import make_key_file


@click.command("add", epilog="Example: ratings-sync account add 7 --connector woocommerce")
@click.argument("site_name", metavar="SITE")
@click.option("--connector", required=True, help="Id of a manifest that CONNECTORS names.")
@value_options
@click.option(
    "--new-site", is_flag=True, help="SITE is an app instance id that is no site yet: make it one."
)
@SAME_SHOP
@JSON
def add(
    site_name: str,
    connector: str,
    pairs: tuple[str, ...],
    files: tuple[str, ...],
    document_file: str | None,
    new_site: bool,
    is_same_shop: bool,
    as_json: bool,
) -> None:
    """Give a site its external account; it works within a minute.

    What is not given is asked for, secrets unseen. Running processes take it up by themselves.
    """
    manifest = wiring().connectors.code_of(connector).code
    given = given_values(manifest, pairs, files, document_file)
    given |= asked(manifest, [spec.name for spec in manifest.settings], given)
    if new_site:
        # Before there is a site that would wait for another account.
        wiring().may_begin_ledger()
        wiring().accounts.check(connector, given)
    _make_key()
    site = _site(site_name, is_new=new_site)
    added = wiring().accounts.add(site, connector, given, actor(), is_same_shop=is_same_shop)
    if as_json:
        print_json(document(added))
        return
    click.echo(f"account {added.public_id} is at work for site {site.id}")
    say_account(added)
    click.echo(f"next: ratings-sync account probe {added.public_id}")


def _site(name: str, *, is_new: bool) -> Site:
    """Raises Misconfigured."""
    sites = wiring().admin.sites
    if not is_new:
        return sites.find(name)
    wiring().may_begin_ledger()
    try:
        return sites.find(name)
    except Misconfigured:
        return sites.add(name, "", (), wix_api=wiring().settings.first_wix_api)[0]


def _make_key() -> None:
    """On one machine its own key, as `ratings-sync up` makes it; a fleet has to share one.

    Raises Misconfigured: there are accounts, and their key is lost.
    """
    settings = wiring().settings
    if settings.database_url is not None or settings.secrets_sealing_key is not None:
        return
    if made := make_key_file(settings, wiring().admin.sealed.keys_in_use()):
        click.echo(made, err=True)
