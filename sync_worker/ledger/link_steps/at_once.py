"""Taking a lease of PostgreSQL in one round trip, where nobody else is at the link."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from sync_worker.core.ports.links import LeasedLink, Shown
from sync_worker.core.values import RatingKey, Side
from sync_worker.ledger.link_steps.take_texts import (
    AROUND_KEY,
    ATTACH_OWN,
    NAME_KEY,
    NAME_SHOWN_ON_WIX,
    NAME_SHOWN_OUTSIDE,
    NAME_SHOWN_PRODUCT,
    NEW_IF_ABSENT,
    TAKE_LEASE_OF_KEY,
    TAKE_OWN,
)
from sync_worker.ledger.sql_text import SqlText, batch
from sync_worker.ledger.statements import inbox as deliveries
from sync_worker.ledger.statements import links
from sync_worker.ledger.transactions import Transactions

# From the row of a link that is leased, its deliveries and the rows about it, if they were read.
Load = Callable[[Connection, Any, Sequence[Any], Sequence[Any] | None], LeasedLink]


class LeasesAtOnce:
    """Takes leases in one batch, which is its transaction."""

    def __init__(self, transactions: Transactions, lease_seconds: float, load: Load) -> None:
        self._transactions, self._load = transactions, load
        self._lease_seconds = lease_seconds

    def attach(self, inbox_id: int, key: RatingKey) -> LeasedLink | None:
        """As ``Links.attach``.

        ``None`` if another run has the lease, or the contact is erased: step by step it is seen
        which of it is so.
        """
        of_key = {"entity_id": key.entity_id, "contact_id": key.contact_id}
        return self._attach(inbox_id, key.site_id, NAME_KEY, of_key)

    def attach_shown(self, inbox_id: int, site_id: int, shown: Shown) -> LeasedLink | None:
        """As ``Links.attach_shown``."""
        ref = shown.entity
        names = {"namespace": ref.namespace, "group": ref.group, "name": ref.entity_id}
        text = NAME_SHOWN_OUTSIDE
        if shown.side is Side.WIX:
            text = NAME_SHOWN_PRODUCT if shown.is_product else NAME_SHOWN_ON_WIX
        return self._attach(inbox_id, site_id, text, {**names, "rater": shown.rater})

    def _attach(
        self, inbox_id: int, site_id: int, name_key: SqlText, names: dict[str, Any]
    ) -> LeasedLink | None:
        its, seconds = {"inbox_id": inbox_id, "site_id": site_id}, self._lease_seconds
        with self._transactions.single() as connection:
            with batch(connection):
                name_key.ask(connection, site_id=site_id, **names)
                NEW_IF_ABSENT.ask(connection, site_id=site_id)
                leased = TAKE_LEASE_OF_KEY.ask(connection, site_id=site_id, lease_seconds=seconds)
                took = ATTACH_OWN.ask(connection, **its)
                around = AROUND_KEY.ask(connection, **its)
            row = leased.first()
            if row is None:
                return None
            taken = took.all()
            mine = [delivery for delivery in taken if delivery.id == inbox_id]
            if not mine:
                # The delivery has ended.
                deliveries.ATTACH.run(connection, link_id=row.id, **its)
            told = {(delivery.side, delivery.remote_id) for delivery in taken}
            # What was read tells of the record of this delivery, and of no other.
            if told - {(delivery.side, delivery.remote_id) for delivery in mine}:
                return self._load(connection, row, taken, None)
            return self._load(connection, row, taken, around.all())

    def lease(self, link_id: int) -> LeasedLink | None:
        """As ``Links.lease``: the lease in one batch, and a look under it."""
        with self._transactions.single() as connection:
            with batch(connection):
                leased = links.TAKE_LEASE.ask(
                    connection, link_id=link_id, lease_seconds=self._lease_seconds
                )
                took = TAKE_OWN.ask(connection, link_id=link_id)
            row = leased.first()
            return None if row is None else self._load(connection, row, took.all(), None)
