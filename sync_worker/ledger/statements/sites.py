"""Sites with their fields: tables ``site`` and ``field_map``."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, select

from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import AccountState, Policy, Side, SideState, Site, SiteState, WixKind
from sync_worker.ledger.accounts.tables import account, site_side
from sync_worker.ledger.tables import field_map, site

NAMES_AT_ONCE = 400  # in one statement


def _is_failing(side: Side) -> Any:
    is_its = (site_side.c.site_id == site.c.id) & (site_side.c.side == str(side))
    failing = exists().where(is_its, site_side.c.state == str(SideState.FAILING))
    return failing.label(f"{side}_fails")


# Read with each site: neither a refused side nor an account costs a statement of its own.
FAILING = tuple(map(_is_failing, Side))
_in_use = (account.c.site_id == site.c.id) & (account.c.state != str(AccountState.REVOKED))
ACCOUNT = select(account.c.state).where(_in_use).scalar_subquery().label("account_state")


def read_sites(
    connection: Connection, which: Any = None, *, limit: int | None = None
) -> list[Site]:
    """Sites with their fields, in the order in which they were added: one statement for all."""
    return _read(connection, _with_fields(which, limit))


def _with_fields(which: Any, limit: int | None) -> Select[Any]:
    chosen = select(site, *FAILING, ACCOUNT).order_by(site.c.id).limit(limit)
    if which is not None:
        chosen = chosen.where(which)
    some = chosen.subquery()
    its_fields = [column for column in field_map.c if column.name not in some.c]
    return (
        select(some, *its_fields)
        .outerjoin_from(some, field_map, field_map.c.site_id == some.c.id)
        .order_by(some.c.id, field_map.c.id)
    )


# Put together once: that takes longer than to run it, and each delivery of a site of which this
# process has heard nothing for a second asks.
BY_ID = _with_fields(site.c.id == bindparam("name", type_=site.c.id.type), 1)
BY_SOURCE = {
    side: _with_fields(column == bindparam("name", type_=column.type), 1)
    for side, column in ((Side.WIX, site.c.instance_id), (Side.EXTERNAL, site.c.external_source))
}


def site_by_id(connection: Connection, site_id: int) -> Site | None:
    """A site by its number, with its fields."""
    found = _read(connection, BY_ID, site_id)
    return found[0] if found else None


def site_by_source(connection: Connection, side: Side, source: str) -> Site | None:
    """The site whose deliveries come from this source of a side."""
    found = _read(connection, BY_SOURCE[side], source)
    return found[0] if found else None


def sites_by_source(connection: Connection, sources: Iterable[str]) -> dict[tuple[Side, str], Site]:
    """The sites of all these sources, by side and source: a statement for some hundred."""
    names = sorted(set(sources) - {""})
    found: dict[tuple[Side, str], Site] = {}
    for start in range(0, len(names), NAMES_AT_ONCE):
        some = names[start : start + NAMES_AT_ONCE]
        theirs = site.c.instance_id.in_(some) | site.c.external_source.in_(some)
        for one in read_sites(connection, theirs):
            found[Side.WIX, one.instance_id] = one
            found[Side.EXTERNAL, one.external_source] = one
    return found


def _read(connection: Connection, asked: Select[Any], name: int | str | None = None) -> list[Site]:
    values = {} if name is None else {"name": name}
    rows = connection.execute(asked, values).all()
    by_site = (list(its_rows) for _, its_rows in groupby(rows, key=attrgetter("id")))
    return [
        to_site(its_rows[0], [row for row in its_rows if row.wix_attribute is not None])
        for its_rows in by_site
    ]


def active_sites(connection: Connection) -> list[tuple[int, str]]:
    """The number and the external source of each site at work; one query, whatever they hold.

    Without those of which a remote refuses our credentials: its probe comes first. Nor those
    without an account that is in use.
    """
    is_used = account.c.state.in_((str(AccountState.NEW), str(AccountState.ACTIVE)))
    is_given = (site.c.external_source == site.c.connector) | exists().where(
        account.c.site_id == site.c.id, is_used
    )
    is_at_work = (site.c.state == str(SiteState.ACTIVE)) & is_given
    fails = exists().where(
        site_side.c.site_id == site.c.id, site_side.c.state == str(SideState.FAILING)
    )
    names = select(site.c.id, site.c.external_source).where(is_at_work, ~fails)
    return [(row.id, row.external_source) for row in connection.execute(names.order_by(site.c.id))]


# -- rows to values and back


def to_site(row: Any, fields: Iterable[Any]) -> Site:
    failing = set()
    if row.wix_fails:
        failing.add(Side.WIX)
    if row.external_fails:
        failing.add(Side.EXTERNAL)
    return Site(
        row.id,
        row.instance_id,
        row.connector,
        Policy.of(row.policy),
        tuple(map(to_field, fields)),
        SiteState.kept(row.state),
        frozenset(failing),
        WixKind(row.wix_api),
        dict(row.wix_learned or {}),
        row.external_source or "",
        _account_state_of(row),
    )


def _account_state_of(row: Any) -> AccountState | None:
    """``None``: the site has none, or the implicit one, of which the environment tells."""
    if row.external_source is None or row.external_source == row.connector:
        return None
    if row.account_state is None:
        return AccountState.REVOKED
    return AccountState.kept(row.account_state)


def to_field(row: Any) -> FieldMap:
    wix = Scale(Decimal(row.wix_min), Decimal(row.wix_max), Decimal(row.wix_step))
    external = Scale(
        Decimal(row.external_min), Decimal(row.external_max), Decimal(row.external_step)
    )
    return FieldMap(row.wix_attribute, row.external_field, wix, external, row.mapping, row.version)


def from_field(field: FieldMap) -> dict[str, Any]:
    row: dict[str, Any] = {
        "wix_attribute": field.attribute,
        "external_field": field.external_field,
        "mapping": field.mapping,
        "version": field.version,
    }
    for side, scale in (("wix", field.wix), ("external", field.external)):
        row |= {
            f"{side}_min": str(scale.minimum),
            f"{side}_max": str(scale.maximum),
            f"{side}_step": str(scale.step),
        }
    return row
