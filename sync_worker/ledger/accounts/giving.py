"""A site is given an account: which one it may have, and what of the site changes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, exists, insert, select, update

from sync_worker.core.errors import Misconfigured
from sync_worker.core.scale import FieldMap
from sync_worker.core.values import (
    Account,
    AccountState,
    NewAccount,
    Side,
    SiteState,
    account_source,
)
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.statements.inbox import move_deliveries
from sync_worker.ledger.statements.sites import from_field
from sync_worker.ledger.tables import entity_map, field_map, link, site


def refuse_what_crosses_sites(
    connection: Connection, of: NewAccount | Account, *, identity: str | None = None
) -> None:
    """One external account serves one site. Raises Misconfigured.

    ``identity``: the one that it gets, if not the one that it has.
    """
    wanted = identity or of.identity
    if wanted is None:
        return
    is_same = (account.c.connector == of.connector) & (account.c.identity == wanted)
    is_in_use = account.c.state != str(AccountState.REVOKED)
    others = select(account.c.site_id).where(is_same, is_in_use)
    others = others.where(account.c.public_id != of.public_id)
    taken = connection.execute(others).scalar()
    if taken is not None:
        raise Misconfigured(
            f"this {of.connector} account serves site {taken} already, and two sites would write"
            " each other's ratings: give another account, or revoke that one"
            f" (`ratings-sync account revoke {taken}`)"
        )


def give_to_site(connection: Connection, new: NewAccount, fields: Sequence[FieldMap]) -> None:
    """The site's external deliveries come from this account now. Raises Misconfigured."""
    its_site = site.c.id == new.site_id
    row = connection.execute(select(site).where(its_site)).first()
    if row is None:
        raise Misconfigured(f"there is no site {new.site_id}; `ratings-sync site list` shows all")
    if row.state == SiteState.REMOVED:
        raise Misconfigured(f"the app is not installed on site {new.site_id} any more")
    if row.external_source is not None and row.external_source == row.connector:
        raise Misconfigured(
            f"site {new.site_id} uses connector {row.connector} with the settings of the"
            " environment: an account is for another site"
        )
    _refuse_other_shop(connection, new)
    source = account_source(new.connector, new.public_id)
    given = {"connector": new.connector, "external_source": source}
    connection.execute(update(site).where(its_site).values(given))
    # What the account before was told goes on here: it is the same shop.
    if row.external_source is not None:
        move_deliveries(connection, Side.EXTERNAL, row.external_source, source)
    maps_some = exists().where(field_map.c.site_id == new.site_id)
    if fields and not connection.execute(select(maps_some)).scalar_one():
        rows = [{"site_id": new.site_id, **from_field(field)} for field in fields]
        connection.execute(insert(field_map).values(rows))


def _refuse_other_shop(connection: Connection, new: NewAccount) -> None:
    """What a site has linked and mapped names records of one shop. Raises Misconfigured."""
    last = connection.execute(_last_of(new)).first()
    if last is None:
        return
    is_same_shop = new.is_same_shop or last.identity == new.identity
    if last.connector == new.connector and is_same_shop:
        return
    for table in (link, entity_map):
        is_there = exists().where(table.c.site_id == new.site_id)
        if connection.execute(select(is_there)).scalar_one():
            raise Misconfigured(
                f"site {new.site_id} was in step with another account of {last.connector}"
                f" ({last.identity}), and its maps and links name records there: give that account"
                " again; if it is the same shop under a new address or name, say so with"
                " --same-shop; another shop needs a site that begins without them"
            )


def refuse_second_account(connection: Connection, site_id: int) -> None:
    """Raises Misconfigured if the site has an account in use."""
    is_its = (account.c.site_id == site_id) & (account.c.state != str(AccountState.REVOKED))
    there = connection.execute(select(account.c.public_id, account.c.connector).where(is_its))
    found = there.first()
    if found is not None:
        raise Misconfigured(
            f"site {site_id} has an account of {found.connector} already ({found.public_id}):"
            " change it with `ratings-sync account set`, or revoke it first"
        )


def _last_of(new: NewAccount) -> Any:
    """The account that a site had before."""
    found = select(account.c.connector, account.c.identity).where(
        account.c.site_id == new.site_id, account.c.public_id != new.public_id
    )
    return found.order_by(account.c.id.desc()).limit(1)
