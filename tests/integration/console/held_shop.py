"""A ledger with held ones in it, for tests of their service and pages."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, update

from sync_worker.core.hold_keys import email_hold_key, entity_hold_key
from sync_worker.core.record_codec import record_as_json
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import Change, Contact, EntityRef, NewDelivery, Person, Record, Side
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.ledger.tables import history, inbox, link, link_value

STARS = Scale(Decimal(1), Decimal(5), Decimal(1))
HUNDRED = Scale(Decimal(0), Decimal(100), Decimal(20))
OVERALL = FieldMap("overall", "value", HUNDRED, STARS)
HOSTILE = "<script>alert('mine')</script>"


@dataclass
class HeldShop:
    """Two sites with deliveries of their own; ``prefix``: of their names in a shared ledger."""

    admin: LedgerAdmin
    prefix: str = ""

    def __post_init__(self) -> None:
        self.admin.sites.add(f"{self.prefix}instance-1", f"{self.prefix}own-service", [OVERALL])
        self.admin.sites.add(f"{self.prefix}instance-2", f"{self.prefix}other-service", [OVERALL])
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
        is_verified: bool | None = None,
    ) -> int:
        """Somebody gives four stars outside, and it is held."""
        self._next += 1
        record = Record(
            f"review-{self._next}",
            {"value": Decimal(4)},
            entity=EntityRef(product),
            person=Person(email=address, name=name),
            words={"title": "", "body": words},
            is_verified=is_verified,
        )
        payload: dict[str, Any] = {"listed": record_as_json(record)}
        new = NewDelivery(
            Side.EXTERNAL,
            self.prefix + source,
            f"d-{self._next}",
            change,
            record.remote_id,
            payload,
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
            Side.EXTERNAL,
            self.prefix + source,
            f"w-{self._next}",
            Change.UPSERT,
            f"review-{self._next}",
            {},
        )
        inbox_id = int(self.ledger.inbox.store(new).inbox_id)
        self.ledger.inbox.defer([inbox_id], seconds, reason, is_failure=True)
        return inbox_id

    def state(self, inbox_id: int) -> str:
        story = self.admin.held.story(inbox_id)
        assert story is not None
        return str(story.delivery.state)

    def link(self, inbox_id: int) -> None:
        """The delivery is of a rating that both sides have: 100 on Wix, and 4 outside."""
        site = self.admin.sites.find("1")
        pair = (EntityRef("beans", "stores", "reviews"), EntityRef("SKU-1"))
        self.admin.mappings.import_entities(site, [pair])
        self.admin.mappings.import_contacts(site, [Contact("ada", "ada@example.com")])
        (thing,) = self.admin.mappings.entities(1)
        with self.admin.transactions.write() as connection:
            known = {"site_id": 1, "entity_id": thing.id, "contact_id": "ada"}
            new = insert(link).values(
                known | {"external_id": "review-1", "external_state": "published"}
            )
            link_id = connection.execute(new.returning(link.c.id)).scalar_one()
            on_wix = {"wix_id": "w-1", "wix_revision": 1, "wix_state": "published"}
            value = {"link_id": link_id, "attribute": "overall", "site_id": 1}
            connection.execute(insert(link_value).values(value | on_wix))
            line = {"site_id": 1, "link_id": link_id, "at": 1.0, "what": "hold"}
            told = {"attribute": "overall", "before": "100", "after": "2"}
            connection.execute(insert(history).values(line | told))
            connection.execute(update(inbox).where(inbox.c.id == inbox_id).values(link_id=link_id))

    def decisions(self) -> list[str]:
        """What people have decided about single ratings, as deliveries."""
        with self.admin.transactions.read() as connection:
            rows = connection.execute(select(inbox.c.change, inbox.c.id).order_by(inbox.c.id))
            return [row.change for row in rows if row.change == "decide"]
