"""People and sites that change, on every ledger: the in-memory twin, SQLite and PostgreSQL pass the
same tests.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.errors import LeaseLost, Transient
from sync_worker.core.hold_keys import address_grave, contact_grave, email_hold_key
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.links import Commit, LeasedLink
from sync_worker.core.values import (
    Base,
    Buried,
    Contact,
    HistoryEntry,
    InboxState,
    IntentState,
    Known,
    LinkState,
    Merge,
    MergeDistance,
    Person,
    RatingKey,
    Side,
    Slot,
)
from sync_worker.engine.link_join import join_links
from tests.integration.test_ledger import ADA, EXTERNAL, WIX, Ground, an_intent, ground

__all__ = ["ground"]  # the fixture
BOB = Contact("contact-bob", "bob@example.com")
WIX_SLOT, EXTERNAL_SLOT = Slot(Side.WIX, "overall"), Slot(Side.EXTERNAL)


def a_link(ground: Ground, contact: Contact, number: int, *, records: bool = True) -> LeasedLink:
    """A leased link of a contact, with a record on each side."""
    ground.ledger.directory.save_contact(ground.site_id, contact)
    run: LeasedLink = ground.ledger.links.attach(
        ground.stored(number), replace(ground.key, contact_id=contact.contact_id)
    ).run
    if records:
        on_file = {
            WIX_SLOT: Known(f"w{number}", 1),
            EXTERNAL_SLOT: Known(f"e{number}", 1, raw={"by": contact.email}),
        }
        base = {"overall": Base(Decimal(80), Decimal(4))}
        ground.ledger.links.commit(
            run.lease, Commit(records=on_file, bases=base, link_state=LinkState.LIVE)
        )
    return run


def merge(ground: Ground, source: Contact, target: Contact) -> None:
    ground.ledger.merges.redirect(ground.site_id, Merge((source.contact_id,), target.contact_id))


def key_of(ground: Ground, contact: Contact) -> RatingKey:
    return replace(ground.key, contact_id=contact.contact_id)


# -- merges


def test_merged_contact_is_found_under_its_old_id_and_address(ground: Ground) -> None:
    ground.ledger.directory.save_contact(ground.site_id, BOB)
    merge(ground, BOB, ADA)
    assert ground.ledger.directory.contact(ground.site_id, contact_id=BOB.contact_id) == ADA
    by_address = ground.ledger.directory.contact(ground.site_id, email=BOB.email)
    assert (by_address.contact_id, by_address.email) == (ADA.contact_id, BOB.email)


def test_contact_without_an_address_of_its_own_has_that_of_the_one_merged_into_it(
    ground: Ground,
) -> None:
    ground.ledger.merges.redirect(ground.site_id, Merge((ADA.contact_id,), "contact-new"))
    assert (
        ground.ledger.directory.contact(ground.site_id, contact_id="contact-new").email == ADA.email
    )


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_chain_of_merges_leads_to_its_end_in_either_order(
    ground: Ground, order: tuple[int, int]
) -> None:
    merges = [Merge(("a",), "b"), Merge(("b",), "c")]
    for place in order:
        ground.ledger.merges.redirect(ground.site_id, merges[place])
    assert ground.ledger.merges.merge_distance(
        ground.site_id, Person(contact_id="a")
    ) == MergeDistance(2, "a", "c")
    assert (
        ground.ledger.merges.merge_distance(ground.site_id, Person(contact_id="b")).lives_as == "c"
    )
    assert ground.ledger.merges.merge_distance(ground.site_id, Person(contact_id="c")).merges == 0


def test_repeated_merge_changes_nothing_and_none_leads_in_a_circle(ground: Ground) -> None:
    for one in (Merge(("a",), "b"), Merge(("a",), "b"), Merge(("b",), "a"), Merge(("b",), "b")):
        ground.ledger.merges.redirect(ground.site_id, one)
    assert (
        ground.ledger.merges.merge_distance(ground.site_id, Person(contact_id="a")).lives_as == "b"
    )
    assert (
        ground.ledger.merges.merge_distance(ground.site_id, Person(contact_id="b")).lives_as == "b"
    )


def test_told_merge_replaces_a_found_one_and_not_the_other_way_round(ground: Ground) -> None:
    ground.ledger.merges.redirect(ground.site_id, Merge(("a",), "c"), is_told=False)
    for is_told in (True, False):
        ground.ledger.merges.redirect(
            ground.site_id, Merge(("a",), "b" if is_told else "c"), is_told=is_told
        )
    assert (
        ground.ledger.merges.merge_distance(ground.site_id, Person(contact_id="a")).lives_as == "b"
    )


def test_standing_is_known_by_the_address_too_and_unknown_for_a_stranger(ground: Ground) -> None:
    ground.ledger.directory.save_contact(ground.site_id, BOB)
    merge(ground, BOB, ADA)
    merge_distance = ground.ledger.merges.merge_distance(
        ground.site_id, Person(email=" Bob@Example.com ")
    )
    assert (merge_distance.merges, merge_distance.lives_as) == (1, ADA.contact_id)
    assert (
        ground.ledger.merges.merge_distance(ground.site_id, Person(email="nobody@example.com"))
        is None
    )


def test_run_knows_that_its_contact_was_merged_away_and_the_other_its_kin(ground: Ground) -> None:
    bob, ada = a_link(ground, BOB, 1), a_link(ground, ADA, 2)
    for run in (bob, ada):
        ground.ledger.links.release(run.lease)
    merge(ground, BOB, ADA)
    again = ground.ledger.links.lease(bob.link.id)
    assert (again.merged_into, again.contact.contact_id) == (ADA.contact_id, BOB.contact_id)
    assert ground.ledger.links.lease(ada.link.id).links_to_join == (bob.link.id,)


def test_link_of_a_merged_contact_is_rekeyed_where_the_other_has_none(ground: Ground) -> None:
    run = a_link(ground, BOB, 1)
    merge(ground, BOB, ADA)
    ground.ledger.merges.join(run.lease, None, ADA.contact_id)
    assert ground.ledger.links.link_id(key_of(ground, ADA)) == run.link.id
    assert ground.ledger.links.link_id(key_of(ground, BOB)) is None
    assert ground.ledger.directory.locate(ground.site_id, Side.EXTERNAL, "e1").key == key_of(
        ground, ADA
    )


def test_link_moves_whole_to_the_place_of_nothing(ground: Ground) -> None:
    bob, ada = a_link(ground, BOB, 1), a_link(ground, ADA, 2, records=False)
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
    assert ground.ledger.directory.locate(ground.site_id, Side.WIX, "w0").key == key_of(ground, ADA)
    assert moved.link.shadowed == {"e0"}
    left = ground.ledger.links.lease(bob.link.id).link
    assert (left.records, left.shadowed) == ({}, frozenset())


def test_records_of_two_living_links_become_deliveries_of_the_one_that_stays(
    ground: Ground,
) -> None:
    bob, ada = a_link(ground, BOB, 1), a_link(ground, ADA, 2)
    for run in (bob, ada):
        ground.ledger.links.commit(run.lease, Commit(shadowed={f"behind {run.link.id}"}))
    ground.ledger.merges.join(bob.lease, ada.lease, ADA.contact_id)
    for run in (bob, ada):
        ground.ledger.links.release(run.lease)
    stays = ground.ledger.links.lease(ada.link.id)
    assert {known.remote_id for known in stays.link.records.values()} == {"w2", "e2"}
    assert stays.link.shadowed == {f"behind {run.link.id}" for run in (bob, ada)}
    hints = [one for one in stays.deliveries if one.new.payload == {"merged_from": BOB.contact_id}]
    assert {(one.new.remote_id, one.must_read) for one in hints} == {("w1", True), ("e1", True)}
    assert not ground.ledger.directory.locate(ground.site_id, Side.WIX, "w1").is_on_file
    assert "merge" in [entry.what for entry in ground.ledger.history_entries()]


def test_nothing_joins_without_both_leases(ground: Ground) -> None:
    bob, ada = a_link(ground, BOB, 1), a_link(ground, ADA, 2)
    ground.ledger.links.release(ada.lease)
    ground.ledger.links.lease(ada.link.id)
    with pytest.raises(LeaseLost):
        ground.ledger.merges.join(bob.lease, ada.lease, ADA.contact_id)
    assert ground.ledger.directory.locate(ground.site_id, Side.WIX, "w1").key == key_of(ground, BOB)


def test_link_is_not_rekeyed_over_one_that_came_meanwhile(ground: Ground) -> None:
    bob = a_link(ground, BOB, 1)
    a_link(ground, ADA, 2)
    with pytest.raises(Transient):
        ground.ledger.merges.join(bob.lease, None, ADA.contact_id)


def test_link_that_was_erased_before_its_turn_is_not_joined(ground: Ground) -> None:
    run = a_link(ground, BOB, 1)
    ground.ledger.directory.save_contact(ground.site_id, ADA)
    merge(ground, BOB, ADA)
    erase(ground, run)
    with pytest.raises(Transient):
        join_links(ground.ledger, run.link.id, key_of(ground, ADA))
    assert ground.ledger.links.link_id(key_of(ground, ADA)) is None
    assert ground.ledger.merges.links_of(ground.site_id, ADA.contact_id) == []


def test_link_that_another_worker_has_joined_already_stays_whole(ground: Ground) -> None:
    run = a_link(ground, BOB, 1)
    merge(ground, BOB, ADA)
    ground.ledger.merges.join(run.lease, None, ADA.contact_id)
    ground.ledger.links.release(run.lease)
    assert join_links(ground.ledger, run.link.id, key_of(ground, ADA)) == run.link.id
    assert set(ground.ledger.links.lease(run.link.id).link.records) == {WIX_SLOT, EXTERNAL_SLOT}


# -- privacy


def erase(ground: Ground, run: LeasedLink, **changes: Any) -> None:
    """The commit at the end of a run that has removed the rating from both sides."""
    records = dict.fromkeys((WIX_SLOT, EXTERNAL_SLOT))
    graves = [Buried(Side.WIX, "w1", 1), Buried(Side.EXTERNAL, "e1", 1)]
    closings = {one.id: Closing(InboxState.DONE, "synced") for one in run.deliveries}
    change = Commit(
        records=records,
        link_state=LinkState.BURIED,
        buried=graves,
        closings=closings,
        release=True,
        erases=True,
    )
    ground.ledger.links.commit(run.lease, replace(change, **changes))


def test_erased_rating_leaves_nothing_but_hashed_graves(ground: Ground) -> None:
    early = ground.stored(
        7, remote_id="e1", side=Side.EXTERNAL, source="own-service", payload={"who": BOB.email}
    )
    ground.ledger.inbox.close(early, Closing(InboxState.SUPPRESSED, "intent"))
    run = a_link(ground, BOB, 1)
    line = HistoryEntry(
        "update", Side.EXTERNAL, "overall", Decimal(77), Decimal(78), remote_id="e1"
    )
    ground.ledger.links.open_intent(run.lease, replace(an_intent(), remote_id="e1"))
    ground.ledger.links.commit(
        run.lease, Commit(history=[line], intent_state=IntentState.CONFIRMED)
    )
    erase(ground, run)
    left = ground.ledger.everything()
    assert [word for word in (BOB.email, BOB.contact_id, "'w1'", "'e1'") if str(word) in left] == []
    told = [
        (one.before, one.after, one.loser, one.remote_id) for one in ground.ledger.history_entries()
    ]
    assert told == [(None, None, None, "")]
    for side, remote_id in ((Side.WIX, "w1"), (Side.EXTERNAL, "e1")):
        located = ground.ledger.directory.locate(ground.site_id, side, remote_id)
        assert located.buried == Buried(side, remote_id, 1, None, privacy=True)
        assert not located.is_on_file


def test_rating_that_came_in_meanwhile_finds_its_way_anew(ground: Ground) -> None:
    run = a_link(ground, BOB, 1)
    fresh = ground.stored(9, remote_id="w9")
    ground.ledger.links.attach(fresh, key_of(ground, BOB))
    erase(ground, run)
    delivery, _ = ground.ledger.inbox.open_delivery(fresh)
    assert (delivery.link_id, delivery.new.remote_id) == (None, "w9")


def test_held_delivery_of_another_record_finds_its_way_anew(ground: Ground) -> None:
    run = a_link(ground, BOB, 1)
    held = ground.stored(9, remote_id="w9")
    ground.ledger.links.attach(held, key_of(ground, BOB))
    ground.ledger.inbox.hold([held], "several_records")
    erase(ground, run)
    delivery, _ = ground.ledger.inbox.open_delivery(held)
    assert (delivery.link_id, delivery.new.remote_id, delivery.must_read) == (None, "w9", True)


def test_address_stays_while_another_rating_of_the_person_lives(ground: Ground) -> None:
    run = a_link(ground, BOB, 1)
    other = ground.ledger.directory.add_entity(
        ground.site_id, replace(WIX, entity_id="product-2"), replace(EXTERNAL, entity_id="sku-2")
    )
    key = replace(key_of(ground, BOB), entity_id=other.id)
    ground.ledger.links.attach(ground.stored(5), key)
    erase(ground, run)
    assert ground.ledger.directory.contact(ground.site_id, contact_id=BOB.contact_id) == BOB


def test_echo_that_no_link_knows_goes_with_the_person_whose_address_it_names(
    ground: Ground,
) -> None:
    run = a_link(ground, BOB, 1)
    echo = ground.stored(
        5, remote_id="e5", side=Side.EXTERNAL, source="own-service", payload={"who": BOB.email}
    )
    ground.ledger.inbox.close(echo, Closing(InboxState.SUPPRESSED, "intent"))
    asked = ground.stored(4, change="contact_deleted", remote_id=BOB.contact_id, privacy=True)
    assert ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, asked) == [run.link.id]
    erase(ground, run)
    ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)
    left = ground.ledger.everything()
    assert [word for word in (BOB.email, BOB.contact_id, "'e5'") if str(word) in left] == []


def test_erased_person_is_in_no_mapping_and_no_delivery(ground: Ground) -> None:
    ground.ledger.directory.save_contact(ground.site_id, BOB)
    merge(ground, replace(BOB, contact_id="contact-old"), BOB)
    waiting = ground.stored(
        3,
        side=Side.EXTERNAL,
        source="own-service",
        remote_id="e3",
        payload={"author": {"email": "Bob@Example.com"}},
    )
    ground.ledger.inbox.hold([waiting], "unknown_entity", hold_key=email_hold_key(str(BOB.email)))
    asked = ground.stored(4, change="contact_deleted", remote_id=BOB.contact_id, privacy=True)
    assert ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, asked) == []
    ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)
    left = ground.ledger.everything().lower()
    assert [
        word for word in ("bob@example.com", "contact-bob", "contact-old", "'e3'") if word in left
    ] == []
    assert ground.ledger.directory.locate(
        ground.site_id, Side.WIX, contact_grave("contact-old")
    ).buried.privacy
    assert ground.ledger.directory.locate(
        ground.site_id, Side.EXTERNAL, address_grave("BOB@example.com")
    ).buried.privacy
    assert ground.ledger.directory.locate(ground.site_id, Side.EXTERNAL, "e3").buried.privacy
    assert ground.ledger.inbox.open_delivery(asked) is None


def test_other_people_stay_as_they_are(ground: Ground) -> None:
    ground.ledger.directory.save_contact(ground.site_id, BOB)
    theirs = ground.stored(3, payload={"owner": ADA.contact_id})
    asked = ground.stored(4, change="contact_deleted", remote_id=BOB.contact_id, privacy=True)
    ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)
    assert ground.ledger.directory.contact(ground.site_id, email=ADA.email) == ADA
    assert ground.ledger.inbox.open_delivery(theirs)[0].new.payload == {"owner": ADA.contact_id}


def test_each_link_of_the_person_gets_a_delivery_that_asks_to_erase_it_again_after_a_hold(
    ground: Ground,
) -> None:
    run = a_link(ground, BOB, 1)
    ground.ledger.links.release(run.lease)
    assert ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, 99) == [run.link.id]
    (hint,) = [
        one
        for one in ground.ledger.links.lease(run.link.id).deliveries
        if one.new.change == "erase"
    ]
    ground.ledger.inbox.hold([hint.id], "refused")
    ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, 99)
    assert ground.ledger.inbox.open_delivery(hint.id) is not None


def test_nothing_is_made_for_a_contact_from_the_moment_that_its_erasure_begins(
    ground: Ground,
) -> None:
    ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, 99)
    ground.ledger.directory.save_contact(ground.site_id, BOB)
    assert ground.ledger.directory.contact(ground.site_id, email=BOB.email) is None
    with pytest.raises(Transient):
        ground.ledger.links.attach(ground.stored(1), key_of(ground, BOB))
    assert ground.ledger.links.link_id(key_of(ground, BOB)) is None


def test_delivery_that_came_too_late_is_emptied_as_it_is_closed(ground: Ground) -> None:
    late = ground.stored(1, payload={"who": BOB.email})
    ground.ledger.inbox.close(late, ERASED)
    assert str(BOB.email) not in ground.ledger.everything()


def test_delivery_that_names_somebody_erased_meanwhile_ends_without_content(ground: Ground) -> None:
    told = [
        ground.stored(n, change="contact_merged", payload={"sources": [BOB.contact_id]})
        for n in (1, 2)
    ]
    done = Closing(InboxState.DONE, "merged")
    assert ground.ledger.inbox.close(told[0], done, names=ADA.contact_id) == done
    ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, 99)
    assert ground.ledger.inbox.close(told[1], done, names=BOB.contact_id) == ERASED
    assert ground.ledger.everything().count(f"'{BOB.contact_id}'") == 1, (
        "only the first one names them"
    )


def test_forgotten_contact_is_matched_anew(ground: Ground) -> None:
    assert ground.ledger.directory.forget_contact(ground.site_id, ADA.contact_id)
    assert not ground.ledger.directory.forget_contact(ground.site_id, ADA.contact_id)
    ground.ledger.directory.save_contact(ground.site_id, replace(ADA, contact_id="contact-new"))
    assert (
        ground.ledger.directory.contact(ground.site_id, email=ADA.email).contact_id == "contact-new"
    )


# -- sites


def site_state(ground: Ground) -> str:
    return str(ground.ledger.inbox.open_delivery(ground.stored(77))[1].state)


def test_removed_site_keeps_its_rows_and_installing_brings_it_back_with_what_waited(
    ground: Ground,
) -> None:
    waiting = ground.stored(1)
    assert ground.ledger.sites.note_lifecycle(ground.site_id, "removed", 100.0) == []
    assert site_state(ground) == "removed"
    ground.ledger.inbox.hold([waiting], "site_removed")
    assert ground.ledger.sites.note_lifecycle(ground.site_id, "active", 200.0) == [waiting]
    assert site_state(ground) == "active"
    assert ground.ledger.directory.contact(ground.site_id, email=ADA.email) == ADA


def test_late_removal_does_not_undo_a_newer_installation(ground: Ground) -> None:
    ground.ledger.sites.note_lifecycle(ground.site_id, "active", 200.0)
    ground.ledger.sites.note_lifecycle(ground.site_id, "removed", 100.0)
    assert site_state(ground) == "active"


@pytest.mark.parametrize("state", ["paused", "recovery"])
def test_installing_does_not_resume_a_site_that_a_person_holds_back(
    ground: Ground, state: str
) -> None:
    ground.ledger.sites.note_lifecycle(ground.site_id, state, None)
    ground.ledger.sites.note_lifecycle(ground.site_id, "active", 200.0)
    assert site_state(ground) == state
