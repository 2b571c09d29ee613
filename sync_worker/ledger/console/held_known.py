"""What the ledger knows by now of what held ones wait for: for a look ahead, without a remote."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, or_, select

from sync_worker.core.hold_keys import entity_hold_keys
from sync_worker.core.values import EntityRef, Side
from sync_worker.ledger.link_steps.brake import HOUR_SECONDS, TAKES_AWAY
from sync_worker.ledger.statements.links import max_deletes
from sync_worker.ledger.tables import contact_map, entity_map, history
from sync_worker.ledger.transactions import Transactions, ledger_now

MAX_ASKED = 1000  # deletes that one look ahead is about


@dataclass(frozen=True, slots=True)
class Known:
    """Of one site. ``hold_keys``: of the things that are mapped by now.

    ``room``: so many deletes may still go to each side within the hour.
    """

    hold_keys: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    contacts: frozenset[str] = frozenset()
    room: Mapping[Side, int] = field(default_factory=dict)


class SqlHeldKnown:
    """Asks for many at once. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def of_site(
        self,
        site_id: int,
        things: Collection[tuple[Side, EntityRef]],
        addresses: Collection[str],
        contacts: Collection[str],
        deletes: Collection[Side],
    ) -> Known:
        """``deletes``: the sides to which some of them would delete."""
        with self._transactions.read() as connection:
            return Known(
                _mapped(connection, site_id, things),
                frozenset(_addresses(connection, site_id, addresses)),
                frozenset(_contacts(connection, site_id, contacts)),
                {side: _room(connection, site_id, side) for side in deletes},
            )


def _mapped(
    connection: Connection, site_id: int, things: Collection[tuple[Side, EntityRef]]
) -> frozenset[str]:
    """The hold keys of those that are mapped."""
    by_side: dict[Side, list[str]] = {side: [] for side in Side}
    for side, ref in things:
        by_side[side].append(ref.entity_id)
    is_one = or_(
        entity_map.c.wix_entity_id.in_(by_side[Side.WIX]),
        entity_map.c.external_entity_id.in_(by_side[Side.EXTERNAL]),
    )
    keys: set[str] = set()
    rows = select(entity_map).where(entity_map.c.site_id == site_id, is_one)
    for row in connection.execute(rows):
        wix = EntityRef(row.wix_entity_id, row.wix_group, row.wix_namespace)
        keys |= set(entity_hold_keys(Side.WIX, wix))
        external = EntityRef(row.external_entity_id, row.external_group)
        keys |= set(entity_hold_keys(Side.EXTERNAL, external))
    return frozenset(keys)


def _addresses(connection: Connection, site_id: int, asked: Collection[str]) -> list[str]:
    is_one = (contact_map.c.site_id == site_id) & contact_map.c.email.in_(asked)
    return list(connection.execute(select(contact_map.c.email).where(is_one)).scalars())


def _contacts(connection: Connection, site_id: int, asked: Collection[str]) -> list[str]:
    is_one = (contact_map.c.site_id == site_id) & contact_map.c.wix_contact_id.in_(asked)
    return list(connection.execute(select(contact_map.c.wix_contact_id).where(is_one)).scalars())


def _room(connection: Connection, site_id: int, side: Side) -> int:
    """As the delete brake counts, but for writes that are under way."""
    is_recent = (history.c.site_id == site_id) & (history.c.side == str(side))
    is_recent &= history.c.what.in_(TAKES_AWAY) & (history.c.at > ledger_now() - HOUR_SECONDS)
    counted = select(func.count()).select_from(history).where(is_recent)
    recent = int(connection.execute(counted).scalar_one())
    enough = recent + MAX_ASKED
    return max(0, int(max_deletes(connection, site_id, enough)) - recent)
