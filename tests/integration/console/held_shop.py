"""A ledger with held ones in it, for tests of their service and pages."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import update

from sync_worker.core.hold_keys import email_hold_key, entity_hold_key
from sync_worker.core.record_codec import record_as_json
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import Change, EntityRef, NewDelivery, Person, Record, Side
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.ledger.tables import inbox

STARS = Scale(Decimal(1), Decimal(5), Decimal(1))
HUNDRED = Scale(Decimal(0), Decimal(100), Decimal(20))
OVERALL = FieldMap("overall", "value", HUNDRED, STARS)
HOSTILE = "<script>alert('mine')</script>"


@dataclass
class HeldShop:
    """Sites 1 and 2, each with deliveries of its own."""

    admin: LedgerAdmin

    def __post_init__(self) -> None:
        self.admin.sites.add("instance-1", "own-service", [OVERALL])
        self.admin.sites.add("instance-2", "other-service", [OVERALL])
        self._next = 0

    @property
    def ledger(self) -> SqlLedger:
        return sql_ledger(self.admin.engine)

    def hold(
        self,
        reason: str,
        product: str = "SKU-1",
        address: str | None = "ada@example.com",
        *,
        name: str | None = "Ada Lovelace",
        words: str = "Fine beans",
        source: str = "own-service",
        change: Change = Change.UPSERT,
        key: str | None = None,
    ) -> int:
        """Somebody gives four stars outside, and it is held."""
        self._next += 1
        record = Record(
            f"review-{self._next}",
            {"value": Decimal(4)},
            entity=EntityRef(product),
            person=Person(email=address, name=name),
            words={"title": "", "body": words},
        )
        payload: dict[str, Any] = {"listed": record_as_json(record)}
        new = NewDelivery(
            Side.EXTERNAL, source, f"d-{self._next}", change, record.remote_id, payload
        )
        inbox_id = int(self.ledger.inbox.store(new).inbox_id)
        keys = {
            "unknown_entity": entity_hold_key(Side.EXTERNAL, EntityRef(product)),
            "unknown_contact": email_hold_key(address or ""),
        }
        self.ledger.inbox.hold([inbox_id], reason, hold_key=key or keys.get(reason))
        return inbox_id

    def wait(self, reason: str, seconds: float = 600.0, source: str = "own-service") -> int:
        """A delivery that a remote could not take yet."""
        self._next += 1
        new = NewDelivery(
            Side.EXTERNAL, source, f"w-{self._next}", Change.UPSERT, f"review-{self._next}", {}
        )
        inbox_id = int(self.ledger.inbox.store(new).inbox_id)
        self.ledger.inbox.defer([inbox_id], seconds, reason, is_failure=True)
        return inbox_id

    def state(self, inbox_id: int) -> str:
        story = self.admin.held.story(inbox_id)
        assert story is not None
        return str(story.delivery.state)

    def give_link(self, inbox_id: int, link_id: int) -> None:
        with self.admin.transactions.write() as connection:
            connection.execute(update(inbox).where(inbox.c.id == inbox_id).values(link_id=link_id))
