"""``ratings-sync account``: which commands it has."""

from __future__ import annotations

import click

from sync_worker.cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "add": Lazy("account.add:add", "Give a site its external account; it works within a minute."),
    "list": Lazy("account.show:list_accounts", "Accounts in pages, with how each of them stands."),
    "show": Lazy(
        "account.show:show", "One account: what it gives, where its webhooks go, how it stands."
    ),
    "set": Lazy("account.change:change", "Give some values of an account anew."),
    "pause": Lazy("account.change:pause", "Keep the deliveries of an account, and let them wait."),
    "resume": Lazy("account.change:resume", "Let an account go on, with what has waited."),
    "probe": Lazy(
        "account.probe:probe", "Ask the external system and Wix for this account, and say it."
    ),
    "revoke": Lazy(
        "account.change:revoke",
        "End an account: its secrets and addresses open nothing more, within two seconds.",
    ),
    "address": Lazy("account.address:address", "The address of an account's webhooks."),
    "history": Lazy(
        "account.show:audit", "Who changed what of an account, when and why; the newest first."
    ),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog="Example: ratings-sync account add 7 --connector woocommerce",
)
def account() -> None:
    """Accounts: what a shop gives to be connected, on a running fleet.

    ACCOUNT is its id, or its site: a number or an app instance id.
    """
