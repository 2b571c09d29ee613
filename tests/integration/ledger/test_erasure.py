"""The ports ``Merges``, ``Links`` and ``Inbox`` at a privacy request: what stays is hashed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.errors import Transient
from sync_worker.core.hold_keys import address_tombstone, contact_tombstone, email_hold_key
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Buried,
    Change,
    Contact,
    Delivery,
    HistoryEntry,
    HistoryKind,
    InboxState,
    IntentState,
    Side,
)
from tests.factories import EXTERNAL_ENTITY, WIX_ENTITY, a_delivery, an_intent
from tests.integration.ledger.ground import ADA, BOB, Ground


class TestErasure:
    def test_erased_rating_leaves_nothing_but_hashed_graves(self, ground: Ground) -> None:
        early = ground.stored(
            7, remote_id="e1", side=Side.EXTERNAL, source="own-service", payload={"who": BOB.email}
        )
        ground.ledger.inbox.close(early, Closing(InboxState.SUPPRESSED, "intent"))
        run = ground.link(BOB, 1)
        line = HistoryEntry(
            HistoryKind.UPDATE, Side.EXTERNAL, "overall", Decimal(77), Decimal(78), remote_id="e1"
        )
        ground.ledger.links.open_intent(run.lease, replace(an_intent(), remote_id="e1"))
        ground.ledger.links.commit(
            run.lease, Commit(history=[line], intent_state=IntentState.CONFIRMED)
        )
        ground.erase(run)
        left = ground.ledger.everything()
        assert [
            word for word in (BOB.email, BOB.contact_id, "'w1'", "'e1'") if str(word) in left
        ] == []
        told = [
            (one.before, one.after, one.loser, one.remote_id)
            for one in ground.ledger.history_entries()
        ]
        assert told == [(None, None, None, "")]
        for side, remote_id in ((Side.WIX, "w1"), (Side.EXTERNAL, "e1")):
            located = ground.ledger.directory.locate(ground.site_id, side, remote_id)
            assert located.buried == Buried(side, remote_id, 1, None, privacy=True)
            assert not located.is_on_file

    def test_refusals_that_quote_words_keep_status_and_code(self, ground: Ground) -> None:
        run = ground.link(BOB, 1)
        said = (
            "update: 422 too_long: 'my secret...' is too long: shorten it",
            "create: 'my secret' may not be said",
            "update: 400: my secret",
            "update: 422 too_long",
        )
        lines = [HistoryEntry(HistoryKind.REFUSED, Side.WIX, "", reason=one) for one in said]
        other = HistoryEntry(HistoryKind.HOLD, Side.WIX, "", reason="fight")
        ground.ledger.links.commit(run.lease, Commit(history=[*lines, other]))
        ground.erase(run)
        assert "my secret" not in ground.ledger.everything()
        assert [one.reason for one in ground.ledger.history_entries()] == [
            "update: 422 too_long",
            "create",
            "update: 400",
            "update: 422 too_long",
            "fight",
        ]

    def test_rating_that_came_in_meanwhile_finds_its_way_anew(self, ground: Ground) -> None:
        run = ground.link(BOB, 1)
        fresh = ground.stored(9, remote_id="w9")
        ground.ledger.links.attach(fresh, ground.key_of(BOB))
        ground.erase(run)
        delivery, _ = ground.ledger.inbox.open_delivery(fresh)
        assert (delivery.link_id, delivery.new.remote_id) == (None, "w9")

    def test_held_delivery_of_another_record_finds_its_way_anew(self, ground: Ground) -> None:
        run = ground.link(BOB, 1)
        held = ground.stored(9, remote_id="w9")
        ground.ledger.links.attach(held, ground.key_of(BOB))
        ground.ledger.inbox.hold([held], "several_records")
        ground.erase(run)
        delivery, _ = ground.ledger.inbox.open_delivery(held)
        assert (delivery.link_id, delivery.new.remote_id, delivery.must_read) == (None, "w9", True)

    def test_address_stays_while_another_rating_of_the_person_lives(self, ground: Ground) -> None:
        run = ground.link(BOB, 1)
        other = ground.ledger.directory.add_entity(
            ground.site_id,
            replace(WIX_ENTITY, entity_id="product-2"),
            replace(EXTERNAL_ENTITY, entity_id="sku-2"),
        )
        key = replace(ground.key_of(BOB), entity_id=other.id)
        ground.ledger.links.attach(ground.stored(5), key)
        ground.erase(run)
        assert ground.ledger.directory.contact(ground.site_id, contact_id=BOB.contact_id) == BOB

    def test_unlinked_echo_goes_with_the_person_whose_address_it_names(
        self,
        ground: Ground,
    ) -> None:
        """An echo that no link knows goes with the person whose address it names."""
        run = ground.link(BOB, 1)
        echo = ground.stored(
            5, remote_id="e5", side=Side.EXTERNAL, source="own-service", payload={"who": BOB.email}
        )
        ground.ledger.inbox.close(echo, Closing(InboxState.SUPPRESSED, "intent"))
        asked = ground.stored(
            4, change=Change.CONTACT_DELETED, remote_id=BOB.contact_id, privacy=True
        )
        assert ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, asked) == [
            run.link.id
        ]
        ground.erase(run)
        ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)
        left = ground.ledger.everything()
        assert [word for word in (BOB.email, BOB.contact_id, "'e5'") if str(word) in left] == []

    def test_erased_person_is_in_no_mapping_and_no_delivery(self, ground: Ground) -> None:
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        ground.merge(replace(BOB, contact_id="contact-old"), BOB)
        waiting = ground.stored(
            3,
            side=Side.EXTERNAL,
            source="own-service",
            remote_id="e3",
            payload={"author": {"email": "Bob@Example.com"}},
        )
        ground.ledger.inbox.hold(
            [waiting], "unknown_entity", hold_key=email_hold_key(str(BOB.email))
        )
        asked = ground.stored(
            4, change=Change.CONTACT_DELETED, remote_id=BOB.contact_id, privacy=True
        )
        assert ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, asked) == []
        ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)
        left = ground.ledger.everything().lower()
        assert [
            word
            for word in ("bob@example.com", "contact-bob", "contact-old", "'e3'")
            if word in left
        ] == []
        assert ground.ledger.directory.locate(
            ground.site_id, Side.WIX, contact_tombstone("contact-old")
        ).buried.privacy
        assert ground.ledger.directory.locate(
            ground.site_id, Side.EXTERNAL, address_tombstone("BOB@example.com")
        ).buried.privacy
        assert ground.ledger.directory.locate(ground.site_id, Side.EXTERNAL, "e3").buried.privacy
        assert ground.ledger.inbox.open_delivery(asked) is None

    @pytest.mark.parametrize("state", [InboxState.DONE, InboxState.HELD])
    def test_person_whose_last_rating_was_erased_before_is_in_no_delivery(
        self, ground: Ground, state: InboxState
    ) -> None:
        """No mapping names the address any more; news of a record that is somebody else's does."""
        for number, written in enumerate(("Bob@Example.com", "bob@example.com", "BOB@example.com")):
            told = ground.stored(
                5 + number, side=Side.EXTERNAL, source="own-service", payload={"who": written}
            )
            ground.ledger.links.attach(told, ground.key)
            ground.ledger.inbox.close(told, Closing(state, "stale"))
        ground.erase(ground.link(BOB, 1))
        assert ground.ledger.directory.contact(ground.site_id, email=BOB.email) is None
        asked = ground.stored(
            4, change=Change.CONTACT_DELETED, remote_id=BOB.contact_id, privacy=True
        )
        ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, asked)
        ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)
        assert "bob@example.com" not in ground.ledger.everything().lower()

    def test_address_that_another_contact_has_again_stays_in_what_it_told(
        self, ground: Ground
    ) -> None:
        """Somebody came back after an erasure; then another one is erased who had no address."""
        ground.erase(ground.link(BOB, 1))
        ground.ledger.directory.save_contact(ground.site_id, replace(BOB, contact_id="contact-new"))
        told = ground.stored(5, payload={"who": BOB.email})
        ground.ledger.inbox.close(told, Closing(InboxState.DONE, "in_step"))
        asked = ground.stored(4, change=Change.CONTACT_DELETED, remote_id="nobody", privacy=True)
        ground.ledger.merges.erase_contact(ground.site_id, "nobody", asked)
        assert "bob@example.com" in ground.ledger.everything().lower()
        assert ground.ledger.ended(told) == (InboxState.DONE, "in_step")

    @pytest.mark.parametrize("way", ["on_file", "waits"])
    def test_record_that_may_be_somebody_elses_by_now_is_not_buried(
        self, ground: Ground, way: str
    ) -> None:
        """What tells of the time when it was the person's goes, and nothing else of it."""
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        of_record: dict[str, Any] = {"side": Side.EXTERNAL, "source": "own-service"}
        told = ground.stored(3, remote_id="e1", payload={"who": BOB.email}, **of_record)
        if way == "on_file":
            ground.link(ADA, 1)
        else:
            ground.stored(5, remote_id="e1", payload={"who": ADA.email}, **of_record)
        asked = ground.stored(
            4, change=Change.CONTACT_DELETED, remote_id=BOB.contact_id, privacy=True
        )
        ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)
        assert ground.ledger.inbox.open_delivery(told) is None
        assert str(BOB.email) not in ground.ledger.everything()
        assert ground.ledger.directory.locate(ground.site_id, Side.EXTERNAL, "e1").buried is None

    def test_other_people_stay_as_they_are(self, ground: Ground) -> None:
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        theirs = ground.stored(3, payload={"owner": ADA.contact_id})
        asked = ground.stored(
            4, change=Change.CONTACT_DELETED, remote_id=BOB.contact_id, privacy=True
        )
        ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)
        assert ground.ledger.directory.contact(ground.site_id, email=ADA.email) == ADA
        assert ground.ledger.inbox.open_delivery(theirs)[0].new.payload == {"owner": ADA.contact_id}

    def test_each_link_of_the_person_gets_a_delivery_after_a_hold(
        self,
        ground: Ground,
    ) -> None:
        """Each link of the person gets a delivery that asks to erase it again, after a hold."""
        run = ground.link(BOB, 1)
        ground.ledger.links.release(run.lease)
        assert ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, 99) == [
            run.link.id
        ]
        (hint,) = [
            one
            for one in ground.ledger.links.lease(run.link.id).deliveries
            if one.new.change == "erase"
        ]
        ground.ledger.inbox.hold([hint.id], "refused")
        ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, 99)
        assert ground.ledger.inbox.open_delivery(hint.id) is not None

    def test_nothing_is_made_for_a_contact_once_its_erasure_begins(
        self,
        ground: Ground,
    ) -> None:
        """Nothing is made for a contact from the moment its erasure begins."""
        ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, 99)
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        assert ground.ledger.directory.contact(ground.site_id, email=BOB.email) is None
        with pytest.raises(Transient):
            ground.ledger.links.attach(ground.stored(1), ground.key_of(BOB))
        assert ground.ledger.links.link_id(ground.key_of(BOB)) is None

    def test_delivery_that_came_too_late_is_emptied_as_it_is_closed(self, ground: Ground) -> None:
        late = ground.stored(1, payload={"who": BOB.email})
        ground.ledger.inbox.close(late, ERASED)
        assert str(BOB.email) not in ground.ledger.everything()

    def test_delivery_that_stays_held_forgets_its_content(self, ground: Ground) -> None:
        """It is read by its id as it is released, in whatever state it is meanwhile."""
        told = [ground.stored(number, payload={"who": BOB.email}) for number in (1, 2)]
        ground.ledger.inbox.hold(told[:1], "moderated")
        for inbox_id in told:
            ground.ledger.inbox.forget_content(inbox_id)
        assert str(BOB.email) not in ground.ledger.everything()
        assert ground.ledger.ended(told[0]) == (InboxState.HELD, "moderated")
        ground.ledger.inbox.release_held(None, inbox_ids=told[:1])
        for number, inbox_id in enumerate(told, 1):
            delivery, _ = ground.ledger.inbox.open_delivery(inbox_id)
            assert (delivery.new.payload, delivery.must_read) == ({}, True)
            assert delivery.new.remote_id == a_delivery(number).remote_id

    def test_delivery_naming_somebody_erased_ends_without_content(self, ground: Ground) -> None:
        """A delivery that names somebody erased meanwhile ends without content."""
        told = [
            ground.stored(n, change=Change.CONTACT_MERGED, payload={"sources": [BOB.contact_id]})
            for n in (1, 2)
        ]
        done = Closing(InboxState.DONE, "merged")
        assert ground.ledger.inbox.close(told[0], done, names=ADA.contact_id) == done
        ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, 99)
        assert ground.ledger.inbox.close(told[1], done, names=BOB.contact_id) == ERASED
        assert ground.ledger.everything().count(f"'{BOB.contact_id}'") == 1, (
            "only the first one names them"
        )

    def test_address_that_an_event_of_the_contact_told_is_erased(self, ground: Ground) -> None:
        """Of contacts merged into it, too; what is another contact's by now is not."""
        for number, (contact_id, told) in enumerate(
            ((BOB.contact_id, "Bob.2@Example.com"), ("contact-old", "old@example.com"))
        ):
            payload = {"primaryEmail": told, "updatedBy": ADA.email, "note": "me@"}
            ground.stored(
                number, change=Change.CONTACT_CHANGED, remote_id=contact_id, payload=payload
            )
        ground.merge(replace(BOB, contact_id="contact-old"), BOB)
        asked = ground.stored(
            4, change=Change.CONTACT_DELETED, remote_id=BOB.contact_id, privacy=True
        )
        ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)
        directory, site_id = ground.ledger.directory, ground.site_id
        named = ["bob.2@example.com", "OLD@example.com", str(ADA.email), "eve@example.com"]
        assert directory.erased_addresses(site_id, named) == set(named[:2])
        assert directory.erased_addresses(site_id + 1, named) == set()
        # Its owner has come back.
        directory.save_contact(site_id, Contact("contact-new", "old@example.com"))
        assert directory.erased_addresses(site_id, named) == set(named[:1])

    def test_held_merge_of_somebody_erased_goes_back_to_work(self, ground: Ground) -> None:
        """It tells who else was that person."""
        told = {"sources": ["contact-old"], "target": BOB.contact_id}
        merge = ground.stored(3, change=Change.CONTACT_MERGED, remote_id="contact-x", payload=told)
        ground.ledger.inbox.hold([merge], "site_paused")
        asked = ground.stored(
            4, change=Change.CONTACT_DELETED, remote_id=BOB.contact_id, privacy=True
        )
        ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)
        assert ground.ledger.inbox.open_delivery(merge) is not None


class TestErasureWithoutSite:
    def told(self, ground: Ground, number: int, **changes: Any) -> Delivery:
        inbox_id = ground.stored(number, source="instance-9", **changes)
        delivery: Delivery = ground.ledger.inbox.open_delivery(inbox_id)[0]
        return delivery

    def hold(self, ground: Ground, number: int, **changes: Any) -> Any:
        delivery = self.told(ground, number, **changes)
        return ground.ledger.inbox.hold_for_site(delivery.id, delivery.new)

    def test_person_is_forgotten_where_nobody_has_added_the_site(self, ground: Ground) -> None:
        """Also those merged into them, under every address, and in what comes later."""
        contact = {"change": Change.CONTACT_CHANGED}
        self.hold(ground, 1, **contact, remote_id="contact-bob", payload={"e": "Bob@Example.com"})
        self.hold(ground, 2, **contact, remote_id="contact-old", payload={"e": "old@example.com"})
        self.hold(ground, 3, remote_id="w3", payload={"owner": "contact-old"})
        self.hold(ground, 4, remote_id="w4", payload={"by": "bob@example.com"})
        merged = {"sourceContactIds": ["contact-old"]}
        self.hold(ground, 5, change=Change.CONTACT_MERGED, remote_id="contact-bob", payload=merged)
        self.hold(ground, 6, remote_id="w6", payload={"owner": ADA.contact_id})
        asked = self.told(
            ground, 7, change=Change.CONTACT_DELETED, remote_id="contact-bob", privacy=True
        )
        assert ground.ledger.inbox.erase_without_site(asked)
        late = {"remote_id": "w8", "payload": {"entity": '{"owner": "contact-bob"}'}}
        assert self.hold(ground, 8, **late) == ERASED
        assert self.hold(ground, 9, remote_id="w3") == ERASED
        left = ground.ledger.everything().lower()
        names = ("contact-bob", "bob@example.com", "contact-old", "old@example.com", "'w3'", "'w4'")
        assert [name for name in names if name in left] == []
        assert "'w6'" in left
        assert ground.ledger.inbox.open_delivery(asked.id) is None

    def test_request_of_a_source_that_has_a_site_by_now_is_left_to_it(self, ground: Ground) -> None:
        asked = ground.stored(
            4, change=Change.CONTACT_DELETED, remote_id=BOB.contact_id, privacy=True
        )
        request = ground.ledger.inbox.open_delivery(asked)[0]
        assert not ground.ledger.inbox.erase_without_site(request)
        assert ground.ledger.inbox.open_delivery(asked) is not None
