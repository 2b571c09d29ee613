"""What the commands of accounts take: which account, who asks, for how long."""

from __future__ import annotations

import re
from typing import Any

import click

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Account
from sync_worker.wiring import wiring

ACCOUNT = click.argument("name", metavar="ACCOUNT")
VERSION = click.option(
    "--version",
    "version",
    type=click.IntRange(1),
    metavar="N",
    help="The version that you have seen: if somebody has changed it since, nothing is done.",
)
WHY = click.option("--why", default="", metavar="TEXT", help="For whoever looks it up later.")
SAME_SHOP = click.option(
    "--same-shop",
    "is_same_shop",
    is_flag=True,
    help="It is the shop that the site's links are of, under a new address or name.",
)
UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
MAX_SPAN_SECONDS = 366 * 86_400.0
ADDRESS = re.compile(r".*/webhooks/external/[^/]+/([a-z2-7]{26})/?")


class Span(click.ParamType[float]):
    """How long: ``90m``, ``24h``, ``7d``; ``0`` is not at all. In seconds."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]{1,6})([smhdw])|0", str(value))
        if found is None:
            self.fail("say it as 90m, 24h, 7d or 0", param, ctx)
        seconds = float(found[1] or 0) * UNIT_SECONDS[found[2] or "s"]
        if seconds > MAX_SPAN_SECONDS:
            self.fail("it is a year at most", param, ctx)
        return seconds


def the_account(name: str) -> Account:
    """By its id, its address, or its site. Raises Misconfigured."""
    store, address = wiring().accounts.store, ADDRESS.fullmatch(name)
    if address is not None:
        found = store.by_address(address[1])
        if found is None:
            raise Misconfigured("this address is of no account, or of one that is revoked")
        return found
    return store.by_public_id(name) or _of_site(name)


def _of_site(name: str) -> Account:
    """The account of a site; a revoked one is still there to be looked at."""
    site = wiring().admin.sites.find(name)
    if site.has_implicit_account:
        raise Misconfigured(
            f"site {site.id} uses connector {site.connector} with the settings of the environment:"
            " they are changed there; `ratings-sync site show` and `ratings-sync doctor` tell of it"
        )
    found = wiring().accounts.store.last_of_site(site.id)
    if found is not None:
        return found
    raise Misconfigured(
        f"site {name[:64]} has no account: ratings-sync account add {name[:64]} --connector NAME"
    )
