"""A ledger with a few ratings in it, to be found and looked at."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, update

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Contact,
    EntityRef,
    HistoryEntry,
    HistoryKind,
    InboxState,
    SearchKeys,
    Side,
)
from sync_worker.ledger.ratings.activity_lines import ActivityLines
from sync_worker.ledger.ratings.rating_search import RatingSearch
from sync_worker.ledger.ratings.rating_story import RatingStories
from sync_worker.ledger.tables import entity_map
from sync_worker.services.ratings.activity import Activity
from sync_worker.services.ratings.rating import Ratings
from sync_worker.services.ratings.search import Search
from tests.factories import a_delivery
from tests.integration.ledger.ground import Ground
from tests.simulation.world import OVERALL
from tests.twins.observed_ledger import ObservedLedger

EVE = Contact("contact-eve", "eve.miller@example.com", "Eve Miller")
HOSTILE = "<script>alert(1)</script> 2 < 3"


class RatingGround:
    """``eve``: of site 1, overwritten once, in step. ``held``: of somebody unknown there.

    ``other``: a rating of another site, by somebody of the same name.
    """

    def __init__(self, engine: Engine) -> None:
        self.ledger = Ground(ObservedLedger(engine), None).set_up()
        self.search = Search(RatingSearch(self.ledger.ledger.transactions))
        self.activity = Activity(ActivityLines(self.ledger.ledger.transactions))
        self.ratings = Ratings(RatingStories(self.ledger.ledger.transactions), "http://flower.test")
        self.site_id = self.ledger.site_id
        with engine.begin() as connection:
            connection.execute(update(entity_map).values(title="Blue Teapot"))
        self.eve = self._in_step(EVE, 41, overwritten=True)
        self.held = self.hold(51)
        self.other_site, self.other = self._of_another_site()

    def _in_step(self, contact: Contact, number: int, *, overwritten: bool = False) -> int:
        run = self.ledger.link(contact, number)
        lines = []
        if overwritten:
            change = (Decimal(40), Decimal(80), Decimal(40), Side.WIX)
            lines = [
                HistoryEntry(HistoryKind.UPDATE, Side.WIX, "overall", *change, "the newer edit"),
                HistoryEntry(
                    HistoryKind.UPDATE, Side.WIX, "body", HOSTILE, "fine", HOSTILE, Side.WIX
                ),
            ]
        ended = {one.id: Closing(InboxState.DONE, "synced") for one in run.deliveries}
        self.ledger.ledger.links.commit(
            run.lease, Commit(closings=ended, history=lines, release=True)
        )
        return int(run.link.id)

    def hold(self, number: int, name: str = "Eve Stranger", **changes: Any) -> int:
        """A delivery from outside of somebody whom Wix does not know."""
        given = {"side": Side.EXTERNAL, "source": "own-service", "remote_id": f"review-{number}"}
        inbox_id = self.ledger.stored(number, **(given | {"payload": {}} | changes))
        keys = SearchKeys(f"stranger{number}@example.com", None, name, "sku-1")
        self.ledger.ledger.unlinked.note(self.site_id, inbox_id, keys)
        self.ledger.ledger.inbox.hold([inbox_id], "unknown_contact")
        return inbox_id

    def hold_link(self, number: int, link_contact: Contact = EVE) -> int:
        """A delivery of a rating that is known, for a person to decide."""
        inbox_id = self.ledger.stored(number, remote_id="w41", revision=number)
        run = self.ledger.ledger.links.attach(inbox_id, self.ledger.key_of(link_contact)).run
        line = HistoryEntry(
            HistoryKind.HOLD, None, "overall", Decimal(80), Decimal(2), reason="first_difference"
        )
        closing = {inbox_id: Closing(InboxState.HELD, "first_difference")}
        self.ledger.ledger.links.commit(
            run.lease, Commit(closings=closing, history=[line], release=True)
        )
        return inbox_id

    def _of_another_site(self) -> tuple[int, int]:
        ledger = self.ledger.ledger
        site = ledger.add_site("instance-2", "judgeme", None, (OVERALL,))
        wix, external = EntityRef("product-7", "stores", "reviews"), EntityRef("sku-7")
        entity = ledger.directory.add_entity(site.id, wix, external)
        ledger.directory.save_contact(site.id, replace(EVE, contact_id="contact-eve-2"))
        key = replace(
            self.ledger.key, site_id=site.id, entity_id=entity.id, contact_id="contact-eve-2"
        )
        stored = ledger.inbox.store(a_delivery(61, source="instance-2", remote_id="w61"))
        run = ledger.links.attach(stored.inbox_id, key).run
        ended = {one.id: Closing(InboxState.DONE, "synced") for one in run.deliveries}
        ledger.links.commit(run.lease, Commit(closings=ended, release=True))
        return site.id, run.link.id
