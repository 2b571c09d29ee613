"""Sites with their fields: tables ``site`` and ``field_map``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, exists, select

from sync_worker.core.values import AccountState, Side, Site, SiteState
from sync_worker.ledger.rows import to_site
from sync_worker.ledger.tables import account, field_map, site


def _is_failing(side: Side) -> Any:
    is_its = (account.c.site_id == site.c.id) & (account.c.side == str(side))
    failing = exists().where(is_its, account.c.state == str(AccountState.FAILING))
    return failing.label(f"{side}_fails")


# Read with each site: a refused account costs no statement of its own.
FAILING = tuple(map(_is_failing, Side))


def site_by_id(connection: Connection, site_id: int) -> Site | None:
    """A site by its number, with its fields."""
    return read_site(connection, site.c.id == site_id)


def site_by_source(connection: Connection, side: Side, source: str) -> Site | None:
    """The site whose deliveries come from this source of a side."""
    column = site.c.instance_id if side is Side.WIX else site.c.connector
    return read_site(connection, column == source)


def read_site(connection: Connection, which: Any) -> Site | None:
    """The site that a condition on its table names."""
    row = connection.execute(select(site, *FAILING).where(which)).first()
    if row is None:
        return None
    fields = select(field_map).where(field_map.c.site_id == row.id).order_by(field_map.c.id)
    return to_site(row, connection.execute(fields).all())


def active_sites(connection: Connection) -> list[tuple[int, str]]:
    """The number and the connector of each site that is at work; one query, whatever they hold.

    Without those of which a remote refuses the account: its probe comes first.
    """
    is_at_work = site.c.state == str(SiteState.ACTIVE)
    fails = exists().where(
        account.c.site_id == site.c.id, account.c.state == str(AccountState.FAILING)
    )
    names = select(site.c.id, site.c.connector).where(is_at_work, ~fails)
    return [(row.id, row.connector) for row in connection.execute(names.order_by(site.c.id))]
