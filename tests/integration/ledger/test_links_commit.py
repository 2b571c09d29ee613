"""The port ``Links``: steps of a run under its fence, and the brake on deletes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from sync_worker.core.errors import LeaseLost, Permanent
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Base,
    Buried,
    EntityRef,
    HistoryEntry,
    HistoryKind,
    InboxState,
    IntentState,
    Known,
    LinkState,
    RecordState,
    Side,
    Slot,
)
from sync_worker.core.values.texts import storable
from tests.factories import an_intent
from tests.integration.ledger.ground import Ground


class TestCommits:
    def test_step_is_read_back_as_it_was_committed(self, ground: Ground) -> None:
        run = ground.leased()
        ground.ledger.links.open_intent(run.lease, an_intent())
        crashed = ground.ledger
        crashed.links.release(run.lease)
        again = crashed.links.lease(run.lease.link_id)
        assert again.intent == an_intent()
        assert again.intent.targets == {"overall": Decimal("4.5")}
        wix = Known("rating-1", 3, 8, raw={"content": {"title": "Good"}})
        raw = {"score": Decimal("4.5")}
        external = Known("r1", 1, None, RecordState.PUBLISHED, raw, identity="a.b.")
        crashed.links.commit(
            again.lease,
            Commit(
                records={Slot(Side.WIX, "overall"): wix, Slot(Side.EXTERNAL): external},
                bases={"overall": Base(Decimal(90), Decimal("4.5"))},
                link_state=LinkState.LIVE,
                intent_state=IntentState.CONFIRMED,
                writes=[again.now],
                history=[
                    HistoryEntry(
                        HistoryKind.CREATE,
                        Side.EXTERNAL,
                        "overall",
                        after=Decimal("4.5"),
                        intent_id="intent-1",
                    )
                ],
                closings={
                    delivery.id: Closing(InboxState.DONE, "synced") for delivery in again.deliveries
                },
                release=True,
            ),
        )
        last = crashed.links.lease(run.lease.link_id)
        assert last.intent is None
        assert last.deliveries == ()
        assert last.link.records == {Slot(Side.WIX, "overall"): wix, Slot(Side.EXTERNAL): external}
        assert last.link.records[Slot(Side.EXTERNAL)].raw == {"score": Decimal("4.5")}
        assert last.link.bases == {"overall": Base(Decimal(90), Decimal("4.5"))}
        assert last.link.writes == (again.now,)
        assert [entry.what for entry in crashed.history_entries()] == ["create"]
        assert crashed.directory.locate(ground.site_id, Side.EXTERNAL, "r1").key == ground.key

    def test_words_are_read_back_as_each_side_showed_them(self, ground: Ground) -> None:
        """Half of a pair and NUL, which no database holds, are read as what replaces them."""
        run = ground.leased()
        links = ground.ledger.links
        links.commit(run.lease, Commit(bases={"body": Base("a\r\n b ", "<p>a b</p>", 0)}))
        title = Base("T", None, 0)
        line = HistoryEntry(
            HistoryKind.UPDATE, Side.WIX, "body", "before", "after", "\ud83d\x00!", Side.EXTERNAL
        )
        links.commit(run.lease, Commit(bases={"title": title}, history=[line], release=True))
        again = links.lease(run.lease.link_id)
        assert again.link.bases["body"] == Base("a\r\n b ", "<p>a b</p>", 0)
        assert again.link.bases["title"] == title
        (kept,) = ground.ledger.history_entries()
        assert (kept.before, kept.after) == ("before", "after")
        assert storable(str(kept.loser)) == "\ufffd!"
        links.commit(again.lease, Commit(bases={"body": Base(version=0)}, release=True))
        last = links.lease(run.lease.link_id)
        assert last.link.bases.get("body", Base()) == Base()
        assert last.link.bases["title"] == title

    def test_link_takes_no_record_that_another_link_has_on_file(self, ground: Ground) -> None:
        run = ground.leased()
        ground.ledger.links.commit(run.lease, Commit(records={Slot(Side.EXTERNAL): Known("r1")}))
        entity = ground.ledger.directory.add_entity(
            ground.site_id, EntityRef("product-2", "stores", "reviews"), EntityRef("sku-2")
        )
        other = ground.ledger.links.attach(
            ground.stored(2), replace(ground.key, entity_id=entity.id)
        ).run
        with pytest.raises(Permanent):
            ground.ledger.links.commit(
                other.lease, Commit(records={Slot(Side.EXTERNAL): Known("r1")})
            )

    @pytest.mark.parametrize("slot", [Slot(Side.EXTERNAL), Slot(Side.WIX, "overall")], ids=str)
    def test_whoever_has_lost_the_lease_is_told_so_before_all_else(
        self, ground: Ground, slot: Slot
    ) -> None:
        """Whoever has lost the lease is told so, whatever else is wrong with the commit."""
        run = ground.leased()
        ground.ledger.links.commit(run.lease, Commit(records={slot: Known("r1")}))
        entity = ground.ledger.directory.add_entity(
            ground.site_id, EntityRef("product-2", "stores", "reviews"), EntityRef("sku-2")
        )
        late = ground.ledger.links.attach(
            ground.stored(2), replace(ground.key, entity_id=entity.id)
        ).run
        ground.ledger.links.release(late.lease)
        held = ground.ledger.links.lease(late.lease.link_id)
        lost = Commit(
            records={slot: Known("r1")},
            history=[HistoryEntry(HistoryKind.CREATE, slot.side, "overall")],
        )
        with pytest.raises(LeaseLost):
            ground.ledger.links.commit(late.lease, lost)
        with pytest.raises(LeaseLost):
            ground.ledger.links.commit(late.lease, replace(lost, records={slot: Known("r2")}))
        assert not ground.ledger.directory.locate(ground.site_id, slot.side, "r2").is_on_file
        ground.ledger.links.commit(held.lease, Commit(records={slot: Known("r2")}))
        assert ground.ledger.directory.locate(ground.site_id, slot.side, "r2").is_on_file

    def test_burial_keeps_the_key_and_a_revival_takes_it_back(self, ground: Ground) -> None:
        run = ground.leased()
        slot = Slot(Side.WIX, "overall")
        ground.ledger.links.commit(run.lease, Commit(records={slot: Known("rating-1", 2)}))
        ground.ledger.links.commit(
            run.lease,
            Commit(
                records={slot: None},
                buried=[Buried(Side.WIX, "rating-1", 2)],
                link_state=LinkState.BURIED,
            ),
        )
        located = ground.ledger.directory.locate(ground.site_id, Side.WIX, "rating-1")
        assert (located.key, located.is_on_file) == (ground.key, False)
        committed = ground.ledger.links.commit(
            run.lease, Commit(records={slot: Known("rating-1", 2)}, release=True)
        )
        assert committed.buried == {"rating-1"}
        assert not ground.ledger.directory.locate(ground.site_id, Side.WIX, "rating-1").is_on_file
        ground.ledger.links.renew(
            run.lease
        )  # it was not released: the holder has to plan once more
        grave = ground.ledger.directory.locate(ground.site_id, Side.WIX, "rating-1").buried
        revived = Commit(records={slot: Known("rating-1", 3)}, revived=[grave])
        assert ground.ledger.links.commit(run.lease, revived).buried == frozenset()
        assert ground.ledger.directory.locate(ground.site_id, Side.WIX, "rating-1").is_on_file

    def test_run_with_a_record_buried_meanwhile_ends_no_delivery_early(
        self,
        ground: Ground,
    ) -> None:
        """A run whose record was buried meanwhile ends no delivery before it is over.

        Whoever buried the record leaves the rest to the run.

        If it dies, an open delivery must bring the next one.
        """
        run = ground.leased()
        (delivery,) = run.deliveries
        ground.ledger.directory.bury(ground.site_id, Buried(Side.EXTERNAL, "r1"))
        end = Commit(
            records={Slot(Side.EXTERNAL): Known("r1", 1)},
            closings={delivery.id: Closing(InboxState.DONE, "synced")},
            release=True,
        )
        assert ground.ledger.links.commit(run.lease, end).buried == {"r1"}
        assert ground.ledger.inbox.open_delivery(delivery.id) is not None
        ground.ledger.links.commit(run.lease, replace(end, records={}))
        assert ground.ledger.inbox.open_delivery(delivery.id) is None

    def test_delete_brake_counts_the_deletes_of_the_last_hour(self, ground: Ground) -> None:
        run = ground.leased()
        deleted = HistoryEntry(HistoryKind.DELETE, Side.EXTERNAL, "overall", intent_id="i")
        ground.ledger.links.commit(run.lease, Commit(history=[deleted] * 19))
        assert not ground.ledger.links.deletes_exceeded(ground.site_id, Side.EXTERNAL)
        ground.ledger.links.commit(run.lease, Commit(history=[deleted]))
        assert ground.ledger.links.deletes_exceeded(ground.site_id, Side.EXTERNAL)
        assert not ground.ledger.links.deletes_exceeded(ground.site_id, Side.WIX)

    def test_delete_brake_of_a_large_site_grips_at_five_percent(
        self,
        ground: Ground,
    ) -> None:
        """The delete brake of a large site grips at five percent of its live links."""
        run = ground.leased()
        for number in range(440):  # 441 with the leased one: five percent are 22.05
            ground.ledger.links.link_of(replace(run.link.key, contact_id=f"contact-{number}"))
        deleted = HistoryEntry(HistoryKind.DELETE, Side.EXTERNAL, "overall", intent_id="i")
        ground.ledger.links.commit(
            run.lease, Commit(link_state=LinkState.LIVE, history=[deleted] * 22)
        )
        assert not ground.ledger.links.deletes_exceeded(ground.site_id, Side.EXTERNAL)
        assert ground.ledger.links.deletes_exceeded(ground.site_id, Side.EXTERNAL, more=1)
