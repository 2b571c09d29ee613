"""The port ``Directory``: what leads from a delivery to its key."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sync_worker.core.ports.directory import RecordsOfEntity
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Buried,
    Contact,
    EntityRef,
    HistoryEntry,
    HistoryKind,
    Known,
    Merge,
    RecordState,
    Side,
    Slot,
)
from tests.factories import EXTERNAL_ENTITY, WIX_ENTITY
from tests.integration.ledger.ground import ADA, BOB, Ground


class TestDirectory:
    def test_entity_is_found_under_both_of_its_names(self, ground: Ground) -> None:
        on_wix = ground.ledger.directory.entity(ground.site_id, Side.WIX, WIX_ENTITY)
        assert on_wix == ground.ledger.directory.entity(
            ground.site_id, Side.EXTERNAL, EXTERNAL_ENTITY
        )
        assert ground.ledger.directory.entity(ground.site_id, Side.WIX, EntityRef("other")) is None

    def test_product_of_wix_reviews_is_found_whatever_the_map_calls_it(
        self, ground: Ground
    ) -> None:
        """Wix Reviews names a product by its id alone, maps made for Ratings by group, too."""
        directory = ground.ledger.directory
        named = EntityRef("product-2", "shop", "comments")
        second = directory.add_entity(ground.site_id, named, EntityRef("sku-2"))
        for entity_id, found in (("product-1", WIX_ENTITY), ("product-2", named)):
            ref = EntityRef(entity_id, namespace="stores")
            assert directory.entity(ground.site_id, Side.WIX, ref).wix == found
        for other in (EntityRef("product-9", namespace="stores"), EntityRef("product-2", "stores")):
            assert directory.entity(ground.site_id, Side.WIX, other) is None
        assert directory.entity(ground.site_id + 1, Side.WIX, second.wix) is None
        assert directory.entity(ground.site_id, Side.EXTERNAL, EntityRef("product-2")) is None

    def test_name_that_no_catalogue_was_asked_for_is_not_asked(self, ground: Ground) -> None:
        directory = ground.ledger.directory
        assert not directory.is_catalogue_asked(ground.site_id, "entity:external::7")

    def test_first_mapping_of_an_address_wins(self, ground: Ground) -> None:
        kept = ground.ledger.directory.save_contact(
            ground.site_id, Contact("contact-new", ADA.email)
        )
        assert kept.contact_id == ADA.contact_id
        assert (
            ground.ledger.directory.contact(ground.site_id, email=ADA.email).contact_id
            == ADA.contact_id
        )

    def test_merged_contact_is_found_under_its_old_id_and_address(self, ground: Ground) -> None:
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        ground.merge(BOB, ADA)
        assert ground.ledger.directory.contact(ground.site_id, contact_id=BOB.contact_id) == ADA
        by_address = ground.ledger.directory.contact(ground.site_id, email=BOB.email)
        assert (by_address.contact_id, by_address.email) == (ADA.contact_id, BOB.email)

    def test_contact_without_an_address_has_that_of_the_one_merged_into_it(
        self,
        ground: Ground,
    ) -> None:
        """A contact without an address of its own has that of the one merged into it."""
        ground.ledger.merges.redirect(ground.site_id, Merge((ADA.contact_id,), "contact-new"))
        assert (
            ground.ledger.directory.contact(ground.site_id, contact_id="contact-new").email
            == ADA.email
        )

    def test_forgotten_contact_is_matched_anew(self, ground: Ground) -> None:
        assert ground.ledger.directory.forget_contact(ground.site_id, ADA.contact_id)
        assert not ground.ledger.directory.forget_contact(ground.site_id, ADA.contact_id)
        ground.ledger.directory.save_contact(ground.site_id, replace(ADA, contact_id="contact-new"))
        assert (
            ground.ledger.directory.contact(ground.site_id, email=ADA.email).contact_id
            == "contact-new"
        )

    def test_buried_id_is_known_with_its_highest_numbers(self, ground: Ground) -> None:
        ground.ledger.directory.bury(
            ground.site_id, Buried(Side.WIX, "gone", revision=5, sequence=9)
        )
        ground.ledger.directory.bury(
            ground.site_id, Buried(Side.WIX, "gone", revision=3, privacy=True)
        )
        located = ground.ledger.directory.locate(ground.site_id, Side.WIX, "gone")
        assert located.buried == Buried(Side.WIX, "gone", 5, 9, privacy=True)
        assert not located.is_on_file

    def test_what_a_delete_of_ours_took_is_known_of_a_buried_record(self, ground: Ground) -> None:
        run = ground.leased()
        slot = Slot(Side.EXTERNAL)
        ground.ledger.links.commit(run.lease, Commit(records={slot: Known("r1")}))
        line = HistoryEntry(
            HistoryKind.DELETE, Side.EXTERNAL, "overall", before=Decimal(4), remote_id="r1"
        )

        def deleted(remote_id: str, side: Side = Side.EXTERNAL) -> object:
            return ground.ledger.directory.values_deleted(ground.site_id, side, remote_id)

        seen = Commit(records={slot: None}, buried=[Buried(slot.side, "r1")], history=[line])
        ground.ledger.links.commit(run.lease, seen)
        assert deleted("r1") is None, "deleted by somebody else"
        ours = [replace(line, intent_id="i-1"), replace(line, attribute="fit", intent_id="i-1")]
        ground.ledger.links.commit(
            run.lease, Commit(history=[ours[0], replace(ours[1], before=None)])
        )
        assert deleted("r1") == {"overall": Decimal(4), "fit": None}
        assert (deleted("r2"), deleted("r1", Side.WIX)) == (None, None)

    def test_record_that_a_link_has_on_file_is_buried_by_its_run_alone(
        self, ground: Ground
    ) -> None:
        run = ground.leased()
        slots = {Side.EXTERNAL: Slot(Side.EXTERNAL), Side.WIX: Slot(Side.WIX, "overall")}
        ground.ledger.links.commit(
            run.lease, Commit(records={slot: Known(f"r-{side}") for side, slot in slots.items()})
        )
        for side in Side:
            assert not ground.ledger.directory.bury(ground.site_id, Buried(side, f"r-{side}"))
            assert ground.ledger.directory.locate(ground.site_id, side, f"r-{side}").is_on_file
            assert ground.ledger.directory.bury(ground.site_id, Buried(side, "another"))
        ground.ledger.links.commit(run.lease, Commit(records={slots[Side.EXTERNAL]: None}))
        assert (
            ground.ledger.directory.locate(
                ground.site_id, Side.EXTERNAL, f"r-{Side.EXTERNAL}"
            ).buried
            is None
        )

    def test_family_of_a_thing_is_its_records_on_file_and_its_shadowed_ones(
        self, ground: Ground
    ) -> None:
        run = ground.leased()
        known = Known("r1", None, None, RecordState.PENDING, {"id": "r1", "score": Decimal("4.5")})
        ground.ledger.links.commit(
            run.lease, Commit(records={Slot(Side.EXTERNAL): known}, shadowed={"r0"})
        )
        ground.ledger.links.commit(run.lease, Commit(shadowed={"r0", "r-1"}, release=True))
        family = ground.ledger.directory.records_of_entity(ground.site_id, EXTERNAL_ENTITY)
        assert (family.on_file, family.shadowed) == ({"r1": known}, {"r0", "r-1"})
        assert ground.ledger.directory.records_of_entity(
            ground.site_id, EntityRef("sku-2")
        ) == RecordsOfEntity({})
        again = ground.ledger.links.lease(run.lease.link_id)
        assert again.link.shadowed == {"r0", "r-1"}

    def test_opened_delivery_tells_what_is_known_of_its_record(self, ground: Ground) -> None:
        """On file, buried in clear or hashed, of no link, of the other side: as ``locate`` says."""
        directory, run = ground.ledger.directory, ground.link(ADA, 1)
        gone = [Buried(side, "gone", 5, 9) for side in Side]
        ground.ledger.links.commit(run.lease, Commit(buried=gone))
        for side in Side:
            directory.bury(ground.site_id, Buried(side, "erased", 3, privacy=True))
        number, told = 10, []
        for side, source in ((Side.WIX, "instance-1"), (Side.EXTERNAL, "own-service")):
            for name in ("w1", "e1", "gone", "erased", "unheard of"):
                number += 1
                inbox_id = ground.stored(number, side=side, source=source, remote_id=name)
                delivery, _ = ground.ledger.inbox.open_delivery(inbox_id)
                assert delivery.located == directory.locate(ground.site_id, side, name), name
                told.append((delivery.located.is_on_file, delivery.located.buried is not None))
        on_file, buried, unheard = (True, False), (False, True), (False, False)
        assert told[:5] == [on_file, unheard, buried, buried, unheard]
        assert told[5:] == [unheard, on_file, buried, buried, unheard]

    def test_delivery_of_no_site_tells_nothing_of_its_record(self, ground: Ground) -> None:
        inbox_id = ground.stored(1, source="nobody's")
        assert ground.ledger.inbox.open_delivery(inbox_id)[0].located is None
