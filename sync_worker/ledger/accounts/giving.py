"""A site is given an account: which one it may have, and what of the site changes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from sync_worker.core.errors import Misconfigured
from sync_worker.core.scale import FieldMap
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import (
    Account,
    AccountState,
    NewAccount,
    Side,
    SiteState,
    account_source,
)
from sync_worker.ledger.accounts.moving import begin_to_move, sources_that_move
from sync_worker.ledger.accounts.reading import refuse_newer
from sync_worker.ledger.accounts.removal import sweep_again
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.onboarding.tables import (
    catalogue_asked,
    catalogue_look,
    catalogue_part,
    entity_proposal,
    onboarding,
)
from sync_worker.ledger.statements.runs import ABANDONED, DONE, RUNNING, end_run
from sync_worker.ledger.statements.sites import from_field
from sync_worker.ledger.tables import entity_map, field_map, inbox, link, run, site

ANOTHER_SHOP = "the site has another shop now"


def refuse_what_crosses_sites(
    connection: Connection, of: NewAccount | Account, *, identity: str | None = None
) -> None:
    """One external account serves one site. Raises Misconfigured.

    ``identity``: the one that it gets, if not the one that it has.
    """
    taken = site_served(connection, of.connector, identity or of.identity, but=of.public_id)
    if taken is not None:
        raise Misconfigured(
            f"this {of.connector} account serves site {taken} already, and two sites would write"
            " each other's ratings: give another account, or revoke that one"
            f" (`ratings-sync account revoke {taken}`)"
        )


def site_served(
    connection: Connection, connector: str, identity: str | None, *, but: str = ""
) -> int | None:
    """The site that an account of this shop serves; ``but``: the name of one that counts not."""
    if identity is None:
        return None
    is_same = (account.c.connector == connector) & (account.c.identity == identity)
    is_in_use = account.c.state != str(AccountState.REVOKED)
    others = select(account.c.site_id).where(is_same, is_in_use, account.c.public_id != but)
    found: int | None = connection.execute(others).scalar()
    return found


def give_to_site(connection: Connection, new: NewAccount, fields: Sequence[FieldMap]) -> None:
    """The site's external deliveries come from this account now. Raises Misconfigured."""
    its_site = site.c.id == new.site_id
    row = connection.execute(select(site).where(its_site)).first()
    if row is None:
        raise Misconfigured(f"there is no site {new.site_id}; `ratings-sync site list` shows all")
    refuse_newer(f"site {new.site_id}", SiteState.kept(row.state))
    if row.state == SiteState.REMOVED:
        raise Misconfigured(f"the app is not installed on site {new.site_id} any more")
    if row.external_source is not None and row.external_source == row.connector:
        raise Misconfigured(
            f"site {new.site_id} uses connector {row.connector} with the settings of the"
            " environment: an account is for another site"
        )
    last = connection.execute(_last_of(new)).first()
    is_same = last is None or _is_same_shop(last, new)
    if last is not None and not is_same:
        _refuse_other_shop(connection, new, last)
        _forget_shop(connection, new.site_id)
    given = {
        "connector": new.connector,
        "external_source": account_source(new.connector, new.public_id),
    }
    connection.execute(update(site).where(its_site).values(given))
    # What the accounts before were told goes on here if it is the same shop, and ends if not.
    if is_same:
        _name_alike(connection, new, last)
    # The door was shut since the account before had ended: nobody told what happened.
    if last is not None:
        sweep_again(connection, its_site)
    begin_to_move(connection, new.site_id, new.public_id)
    maps_some = exists().where(field_map.c.site_id == new.site_id)
    if fields and not connection.execute(select(maps_some)).scalar_one():
        rows = [{"site_id": new.site_id, **from_field(field)} for field in fields]
        connection.execute(insert(field_map).values(rows))


def become_another_shop(connection: Connection, of: Account, identity: str | None) -> None:
    """An account can be corrected until something is known of its shop. Raises Misconfigured.

    Ids of one shop mean nothing in another, whether in links, maps or deliveries.
    """
    sources = [of.source, *sources_that_move(connection, of.site_id)]
    told = exists().where(inbox.c.side == str(Side.EXTERNAL), inbox.c.source.in_(sources))
    if connection.execute(select(told)).scalar_one() or _names_records(connection, of.site_id):
        raise Misconfigured(
            f"the records that are known of site {of.site_id} are of"
            f" {_named(of.connector, of.identity)}, and this is {_named(of.connector, identity)}:"
            " ids of one shop mean nothing in another. If it is the same shop under a new"
            " address or name, say so with --same-shop; if"
            " the account is of the wrong shop, revoke it and add one of the right one"
        )
    _forget_shop(connection, of.site_id)


def _named(connector: str, identity: str | None) -> str:
    """A shop for people."""
    lines = (identity or "").splitlines()
    name = ", ".join(line.partition("=")[2] or line for line in lines)
    return f"{name} ({connector})" if name else connector


def _is_same_shop(last: Row[Any], new: NewAccount) -> bool:
    if last.connector != new.connector:
        return False
    return new.is_same_shop or last.identity == new.identity


def _name_alike(connection: Connection, new: NewAccount, last: Row[Any] | None) -> None:
    """Accounts of the same shop have the name that it has today, whatever it was before."""
    if last is None or last.identity == new.identity:
        return
    is_its = (account.c.site_id == new.site_id) & (account.c.connector == last.connector)
    named_so = update(account).where(is_its, account.c.identity == last.identity)
    connection.execute(named_so.values(identity=new.identity))


def _refuse_other_shop(connection: Connection, new: NewAccount, last: Row[Any]) -> None:
    """What a site has linked and mapped names records of one shop. Raises Misconfigured."""
    if _names_records(connection, new.site_id):
        raise Misconfigured(
            f"site {new.site_id} was in step with another account of {last.connector}"
            f" ({last.identity}), and its maps and links name records there: give that account"
            " again; if it is the same shop under a new address or name, say so with"
            " --same-shop; another shop needs a site that begins without them"
        )


def _names_records(connection: Connection, site_id: int) -> bool:
    """Whether links or maps of a site name records of its external account."""
    some = (exists().where(table.c.site_id == site_id) for table in (link, entity_map))
    return any(connection.execute(select(is_there)).scalar_one() for is_there in some)


def _forget_shop(connection: Connection, site_id: int) -> None:
    """What was done, listed and proposed with the shop before counts for no other."""
    for table in (entity_proposal, catalogue_asked, catalogue_part, catalogue_look, onboarding):
        connection.execute(delete(table).where(table.c.site_id == site_id))
    is_sweep = run.c.kind.in_([str(kind) for kind in RunKind])
    its_open = (run.c.site_id == site_id) & is_sweep & (run.c.state == RUNNING)
    for run_id in connection.execute(select(run.c.id).where(its_open)).scalars().all():
        end_run(connection, run_id, ABANDONED, ANOTHER_SHOP)
    # What was compared was the shop before: the site counts as never compared.
    ended = (run.c.site_id == site_id) & is_sweep & (run.c.state == DONE)
    connection.execute(update(run).where(ended).values(state=ABANDONED, reason=ANOTHER_SHOP))


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
