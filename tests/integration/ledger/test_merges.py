"""The port ``Merges``: contacts that turn out to be one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.errors import LeaseLost, Transient
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Base,
    Buried,
    Change,
    Merge,
    MergeDistance,
    NewDelivery,
    Person,
    Side,
)
from sync_worker.engine.link_join import join_links
from tests.integration.ledger.ground import ADA, BOB, EXTERNAL_SLOT, WIX_SLOT, Ground


class TestMerges:
    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_chain_of_merges_leads_to_its_end_in_either_order(
        self, ground: Ground, order: tuple[int, int]
    ) -> None:
        merges = [Merge(("a",), "b"), Merge(("b",), "c")]
        for place in order:
            ground.ledger.merges.redirect(ground.site_id, merges[place])
        assert ground.ledger.merges.merge_distance(
            ground.site_id, Person(contact_id="a")
        ) == MergeDistance(2, "a", "c")
        assert (
            ground.ledger.merges.merge_distance(ground.site_id, Person(contact_id="b")).lives_as
            == "c"
        )
        assert (
            ground.ledger.merges.merge_distance(ground.site_id, Person(contact_id="c")).merges == 0
        )

    def test_repeated_merge_changes_nothing_and_none_leads_in_a_circle(
        self, ground: Ground
    ) -> None:
        for one in (Merge(("a",), "b"), Merge(("a",), "b"), Merge(("b",), "a"), Merge(("b",), "b")):
            ground.ledger.merges.redirect(ground.site_id, one)
        assert (
            ground.ledger.merges.merge_distance(ground.site_id, Person(contact_id="a")).lives_as
            == "b"
        )
        assert (
            ground.ledger.merges.merge_distance(ground.site_id, Person(contact_id="b")).lives_as
            == "b"
        )

    def test_told_merge_replaces_a_found_one_and_not_the_other_way_round(
        self, ground: Ground
    ) -> None:
        ground.ledger.merges.redirect(ground.site_id, Merge(("a",), "c"), is_told=False)
        for is_told in (True, False):
            ground.ledger.merges.redirect(
                ground.site_id, Merge(("a",), "b" if is_told else "c"), is_told=is_told
            )
        assert (
            ground.ledger.merges.merge_distance(ground.site_id, Person(contact_id="a")).lives_as
            == "b"
        )

    def test_standing_is_known_by_the_address_too_and_unknown_for_a_stranger(
        self, ground: Ground
    ) -> None:
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        ground.merge(BOB, ADA)
        merge_distance = ground.ledger.merges.merge_distance(
            ground.site_id, Person(email=" Bob@Example.com ")
        )
        assert (merge_distance.merges, merge_distance.lives_as) == (1, ADA.contact_id)
        assert (
            ground.ledger.merges.merge_distance(ground.site_id, Person(email="nobody@example.com"))
            is None
        )

    def test_link_of_a_merged_contact_is_rekeyed_where_the_other_has_none(
        self, ground: Ground
    ) -> None:
        run = ground.link(BOB, 1)
        ground.merge(BOB, ADA)
        ground.ledger.merges.join(run.lease, None, ADA.contact_id)
        assert ground.ledger.links.link_id(ground.key_of(ADA)) == run.link.id
        assert ground.ledger.links.link_id(ground.key_of(BOB)) is None
        assert ground.ledger.directory.locate(
            ground.site_id, Side.EXTERNAL, "e1"
        ).key == ground.key_of(ADA)

    def test_link_moves_whole_to_the_place_of_nothing(self, ground: Ground) -> None:
        bob, ada = ground.link(BOB, 1), ground.link(ADA, 2, records=False)
        ground.ledger.links.commit(
            bob.lease, Commit(buried=[Buried(Side.WIX, "w0", 3)], shadowed={"e0"})
        )
        ground.ledger.merges.join(bob.lease, ada.lease, ADA.contact_id)
        for run in (bob, ada):
            ground.ledger.links.release(run.lease)
        moved = ground.ledger.links.lease(ada.link.id)
        assert {slot: known.remote_id for slot, known in moved.link.records.items()} == {
            WIX_SLOT: "w1",
            EXTERNAL_SLOT: "e1",
        }
        assert moved.link.bases == {"overall": Base(Decimal(80), Decimal(4))}
        assert [delivery.new.dedupe_id for delivery in moved.deliveries] == ["event-1", "event-2"]
        assert ground.ledger.directory.locate(ground.site_id, Side.WIX, "w0").key == ground.key_of(
            ADA
        )
        assert moved.link.shadowed == {"e0"}
        left = ground.ledger.links.lease(bob.link.id).link
        assert (left.records, left.shadowed) == ({}, frozenset())

    def test_record_that_leaves_is_told_of_in_the_same_step(self, ground: Ground) -> None:
        """It is on file nowhere, has a tombstone for older news, and a delivery of its own."""
        run, key = ground.link(BOB, 1), ground.key_of(BOB)
        assert ground.ledger.links.external_id(key) == "e1"
        source = ground.ledger.site(ground.site_id).connector
        hint = NewDelivery(Side.EXTERNAL, source, "moved:1", Change.UPSERT, "e1", {})
        change = Commit(
            records={EXTERNAL_SLOT: None},
            buried=[Buried(Side.EXTERNAL, "e1", 1)],
            leaving=["e1"],
            passed_on=[hint],
        )
        [inbox_id] = ground.ledger.links.commit(run.lease, change).passed_on
        opened = ground.ledger.inbox.open_delivery(inbox_id)
        assert opened is not None
        assert (opened[0].new.remote_id, opened[0].link_id, opened[0].must_read) == ("e1", None, 1)
        located = ground.ledger.directory.locate(ground.site_id, Side.EXTERNAL, "e1")
        # Of no link: an erasure of the one that it left must not take it for gone.
        assert (located.is_on_file, located.key) == (False, None)
        assert located.buried is not None
        assert ground.ledger.links.external_id(key) is None

    def test_name_that_is_on_its_way_is_told_of_once(self, ground: Ground) -> None:
        run, _ = ground.link(BOB, 1), ground.link(ADA, 2)
        source = ground.ledger.site(ground.site_id).connector
        hint = NewDelivery(Side.EXTERNAL, source, "moved:1", Change.UPSERT, "e1", {})
        change = Commit(records={EXTERNAL_SLOT: None}, leaving=["e1"], passed_on=[hint])
        assert len(ground.ledger.links.commit(run.lease, change).passed_on) == 1
        assert list(ground.ledger.links.commit(run.lease, change).passed_on) == []

    def test_record_that_left_and_is_on_file_elsewhere_is_not_buried(self, ground: Ground) -> None:
        bob, _ = ground.link(BOB, 1), ground.link(ADA, 2)
        change = Commit(buried=[Buried(Side.EXTERNAL, "e2", 9)], leaving=["e2"])
        ground.ledger.links.commit(bob.lease, change)
        located = ground.ledger.directory.locate(ground.site_id, Side.EXTERNAL, "e2")
        assert (located.is_on_file, located.key) == (True, ground.key_of(ADA))
        assert located.buried is None

    def test_records_of_two_links_become_deliveries_of_the_one_that_stays(
        self,
        ground: Ground,
    ) -> None:
        """Records of two living links become deliveries of the one that stays."""
        bob, ada = ground.link(BOB, 1), ground.link(ADA, 2)
        for run in (bob, ada):
            ground.ledger.links.commit(run.lease, Commit(shadowed={f"behind {run.link.id}"}))
        ground.ledger.merges.join(bob.lease, ada.lease, ADA.contact_id)
        for run in (bob, ada):
            ground.ledger.links.release(run.lease)
        stays = ground.ledger.links.lease(ada.link.id)
        assert {known.remote_id for known in stays.link.records.values()} == {"w2", "e2"}
        assert stays.link.shadowed == {f"behind {run.link.id}" for run in (bob, ada)}
        hints = [
            one for one in stays.deliveries if one.new.payload == {"merged_from": BOB.contact_id}
        ]
        assert {(one.new.remote_id, one.must_read) for one in hints} == {("w1", True), ("e1", True)}
        assert not ground.ledger.directory.locate(ground.site_id, Side.WIX, "w1").is_on_file
        assert "merge" in [entry.what for entry in ground.ledger.history_entries()]

    def test_nothing_joins_without_both_leases(self, ground: Ground) -> None:
        bob, ada = ground.link(BOB, 1), ground.link(ADA, 2)
        ground.ledger.links.release(ada.lease)
        ground.ledger.links.lease(ada.link.id)
        with pytest.raises(LeaseLost):
            ground.ledger.merges.join(bob.lease, ada.lease, ADA.contact_id)
        assert ground.ledger.directory.locate(ground.site_id, Side.WIX, "w1").key == ground.key_of(
            BOB
        )

    def test_link_is_not_rekeyed_over_one_that_came_meanwhile(self, ground: Ground) -> None:
        bob = ground.link(BOB, 1)
        ground.link(ADA, 2)
        with pytest.raises(Transient):
            ground.ledger.merges.join(bob.lease, None, ADA.contact_id)

    def test_link_that_was_erased_before_its_turn_is_not_joined(self, ground: Ground) -> None:
        run = ground.link(BOB, 1)
        ground.ledger.directory.save_contact(ground.site_id, ADA)
        ground.merge(BOB, ADA)
        ground.erase(run)
        with pytest.raises(Transient):
            join_links(ground.ledger.links, ground.ledger.merges, run.link.id, ground.key_of(ADA))
        assert ground.ledger.links.link_id(ground.key_of(ADA)) is None
        assert ground.ledger.merges.links_of(ground.site_id, ADA.contact_id) == []

    def test_link_that_another_worker_has_joined_already_stays_whole(self, ground: Ground) -> None:
        run = ground.link(BOB, 1)
        ground.merge(BOB, ADA)
        ground.ledger.merges.join(run.lease, None, ADA.contact_id)
        ground.ledger.links.release(run.lease)
        assert (
            join_links(ground.ledger.links, ground.ledger.merges, run.link.id, ground.key_of(ADA))
            == run.link.id
        )
        assert set(ground.ledger.links.lease(run.link.id).link.records) == {WIX_SLOT, EXTERNAL_SLOT}
