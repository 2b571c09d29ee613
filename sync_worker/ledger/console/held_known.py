"""What the ledger knows by now of what held ones wait for: for a look ahead, without a remote."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select, tuple_

from sync_worker.core.hold_keys import entity_hold_keys
from sync_worker.core.values import TAKES_AWAY, EntityRef, Side
from sync_worker.ledger.link_steps.brake import HOUR_SECONDS
from sync_worker.ledger.statements.links import max_deletes
from sync_worker.ledger.tables import contact_map, entity_map, history
from sync_worker.ledger.transactions import Transactions, ledger_now

MAX_ASKED = 1000  # deletes that one look ahead is about
AT_ONCE = 300  # names, in one statement


@dataclass(frozen=True, slots=True)
class Known:
    """Of one site. ``hold_keys``: of the things that are mapped by now.

    ``room``: so many deletes may still go to each side within the hour.
    """

    hold_keys: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    contacts: frozenset[str] = frozenset()
    room: Mapping[Side, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one site's held ones wait for. ``deletes``: the sides to which some would delete."""

    things: Collection[tuple[Side, EntityRef]] = ()
    addresses: Collection[str] = ()
    contacts: Collection[str] = ()
    deletes: Collection[Side] = ()


Names = Mapping[int, Collection[str]]  # by site


class SqlHeldKnown:
    """Asks for many at once. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def of_sites(self, wanted: Mapping[int, Wanted]) -> dict[int, Known]:
        """By site: a few statements, but for the brake of those that something is deleted for."""
        with self._transactions.read() as connection:
            mapped = _mapped(connection, {one: of.things for one, of in wanted.items()})
            addresses = {one: of.addresses for one, of in wanted.items()}
            contacts = {one: of.contacts for one, of in wanted.items()}
            with_address = _named(connection, contact_map.c.email, addresses)
            there = _named(connection, contact_map.c.wix_contact_id, contacts)
            return {
                one: Known(
                    frozenset(mapped.get(one, ())),
                    frozenset(with_address.get(one, ())),
                    frozenset(there.get(one, ())),
                    {side: _room(connection, one, side) for side in of.deletes},
                )
                for one, of in wanted.items()
            }


def _mapped(
    connection: Connection, things: Mapping[int, Collection[tuple[Side, EntityRef]]]
) -> dict[int, set[str]]:
    """By site, the hold keys of those that are mapped."""
    keys: dict[int, set[str]] = {}
    columns = {
        Side.WIX: entity_map.c.wix_entity_id,
        Side.EXTERNAL: entity_map.c.external_entity_id,
    }
    for side, column in columns.items():
        names = {
            site_id: {ref.entity_id for of_side, ref in its if of_side is side}
            for site_id, its in things.items()
        }
        for some in _some(names):
            is_one = tuple_(entity_map.c.site_id, column).in_(some)
            for row in connection.execute(select(entity_map).where(is_one)):
                wix = EntityRef(row.wix_entity_id, row.wix_group, row.wix_namespace)
                external = EntityRef(row.external_entity_id, row.external_group)
                its_keys = keys.setdefault(row.site_id, set())
                its_keys |= set(entity_hold_keys(Side.WIX, wix))
                its_keys |= set(entity_hold_keys(Side.EXTERNAL, external))
    return keys


def _named(connection: Connection, column: Any, names: Names) -> dict[int, set[str]]:
    """By site, which of these names its contacts have."""
    found: dict[int, set[str]] = {}
    for some in _some(names):
        is_one = tuple_(contact_map.c.site_id, column).in_(some)
        asked = select(contact_map.c.site_id, column.label("name")).where(is_one)
        for row in connection.execute(asked):
            found.setdefault(row.site_id, set()).add(row.name)
    return found


def _some(names: Names) -> Iterator[list[tuple[int, str]]]:
    """As many of them as one statement takes."""
    pairs = sorted((site_id, name) for site_id, its in names.items() for name in set(its))
    return (pairs[start : start + AT_ONCE] for start in range(0, len(pairs), AT_ONCE))


def _room(connection: Connection, site_id: int, side: Side) -> int:
    """As the delete brake counts, but for writes that are under way."""
    is_recent = (history.c.site_id == site_id) & (history.c.side == str(side))
    is_recent &= history.c.what.in_([str(one) for one in TAKES_AWAY])
    is_recent &= history.c.at > ledger_now() - HOUR_SECONDS
    counted = select(func.count()).select_from(history).where(is_recent)
    recent = int(connection.execute(counted).scalar_one())
    enough = recent + MAX_ASKED
    return max(0, int(max_deletes(connection, site_id, enough)) - recent)
