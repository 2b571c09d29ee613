"""Pairs for a person to confirm: table ``entity_proposal``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from sync_worker.core.values import EntityRef, Side
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.ledger.onboarding.tables import entity_proposal
from sync_worker.ledger.tables import entity_map
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

OPEN, REFUSED = "open", "refused"
AT_ONCE = 500
MAX_OF_THING = 10


class SqlProposals:
    """What is proposed for the sites."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def replace(self, site_id: int, pairs: Sequence[ProposedPair]) -> None:
        """These stand in the place of the open ones; what a person has refused stays refused."""
        is_open = (entity_proposal.c.site_id == site_id) & (entity_proposal.c.state == OPEN)
        with self._transactions.write() as connection:
            connection.execute(delete(entity_proposal).where(is_open))
            for start in range(0, len(pairs), AT_ONCE):
                rows = [_row(site_id, pair) for pair in pairs[start : start + AT_ONCE]]
                new = insert_into(connection, entity_proposal).values(rows)
                connection.execute(new.on_conflict_do_nothing())

    def open(self, site_id: int, after: int = 0, limit: int = AT_ONCE) -> list[ProposedPair]:
        """A page of them, by their number."""
        found = (
            select(entity_proposal)
            .where(
                entity_proposal.c.site_id == site_id,
                entity_proposal.c.state == OPEN,
                entity_proposal.c.id > after,
            )
            .order_by(entity_proposal.c.id)
            .limit(limit)
        )
        with self._transactions.read() as connection:
            return [_pair(row) for row in connection.execute(found)]

    def some(self, site_id: int, numbers: Collection[int]) -> list[ProposedPair]:
        """Those with these numbers that are still open, no more than a page of them."""
        is_meant = _is_one_of(site_id, sorted(numbers)[:AT_ONCE])
        found = select(entity_proposal).where(is_meant).order_by(entity_proposal.c.id)
        with self._transactions.read() as connection:
            return [_pair(row) for row in connection.execute(found)]

    def of_thing(self, site_id: int, side: Side, entity_id: str) -> list[ProposedPair]:
        """The open ones for one thing, as that side names it."""
        named = {
            Side.WIX: entity_proposal.c.wix_entity_id,
            Side.EXTERNAL: entity_proposal.c.external_entity_id,
        }
        is_its = (entity_proposal.c.site_id == site_id) & (named[side] == entity_id)
        found = select(entity_proposal).where(is_its, entity_proposal.c.state == OPEN)
        with self._transactions.read() as connection:
            rows = connection.execute(found.order_by(entity_proposal.c.id).limit(MAX_OF_THING))
            return [_pair(row) for row in rows]

    def counts(self, site_id: int) -> dict[str, int]:
        """How many are open, by what fits."""
        found = (
            select(entity_proposal.c.way, func.count().label("many"))
            .where(entity_proposal.c.site_id == site_id, entity_proposal.c.state == OPEN)
            .group_by(entity_proposal.c.way)
        )
        with self._transactions.read() as connection:
            return {row.way: int(row.many) for row in connection.execute(found)}

    def refuse(self, site_id: int, numbers: Sequence[int]) -> int:
        """These are not one thing, says a person; they are not proposed again."""
        changed = 0
        with self._transactions.write() as connection:
            for start in range(0, len(numbers), AT_ONCE):
                is_meant = _is_one_of(site_id, numbers[start : start + AT_ONCE])
                refused = update(entity_proposal).where(is_meant).values(state=REFUSED)
                changed += connection.execute(refused).rowcount
        return changed

    def mapped(self, site_id: int, pairs: Sequence[ProposedPair]) -> None:
        """These are in the map now, with their titles, and no proposals any more."""
        with self._transactions.write() as connection:
            for pair in pairs:
                _take_title(connection, site_id, pair)
            for start in range(0, len(pairs), AT_ONCE):
                numbers = [pair.id for pair in pairs[start : start + AT_ONCE]]
                connection.execute(delete(entity_proposal).where(_is_one_of(site_id, numbers)))


def _take_title(connection: Connection, site_id: int, pair: ProposedPair) -> None:
    title = pair.title or pair.external_title
    if not title:
        return
    is_it = (
        (entity_map.c.site_id == site_id)
        & (entity_map.c.external_group == pair.external.group)
        & (entity_map.c.external_entity_id == pair.external.entity_id)
    )
    connection.execute(update(entity_map).where(is_it).values(title=title))


def _is_one_of(site_id: int, numbers: Sequence[int]) -> Any:
    return (
        (entity_proposal.c.site_id == site_id)
        & entity_proposal.c.id.in_(numbers)
        & (entity_proposal.c.state == OPEN)
    )


def _row(site_id: int, pair: ProposedPair) -> dict[str, Any]:
    return {
        "site_id": site_id,
        "wix_namespace": pair.wix.namespace,
        "wix_group": pair.wix.group,
        "wix_entity_id": pair.wix.entity_id,
        "external_group": pair.external.group,
        "external_entity_id": pair.external.entity_id,
        "way": pair.way,
        "title": pair.title,
        "external_title": pair.external_title,
        "state": OPEN,
        "found_at": ledger_now(),
    }


def _pair(row: Any) -> ProposedPair:
    return ProposedPair(
        EntityRef(row.wix_entity_id, row.wix_group, row.wix_namespace),
        EntityRef(row.external_entity_id, row.external_group),
        row.way,
        row.title,
        row.external_title,
        row.id,
    )
