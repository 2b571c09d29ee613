"""People who are erased while links of the other API are set aside."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from sync_worker.core.ports.links import Commit
from sync_worker.core.values import Buried, Change, Contact, Known, Link, LinkState, Side
from sync_worker.ledger.process_tables import set_aside
from tests.integration.ledger.ground import ADA, BOB, EXTERNAL_SLOT
from tests.integration.ledger.wix_change_ground import RATINGS, REVIEWS, ChangeGround, site

__all__ = ["site"]  # a fixture


def test_erased_person_is_erased_from_what_is_set_aside(site: ChangeGround) -> None:
    ada, bob = site.ground.link(ADA, 1), site.ground.link(BOB, 2)
    site.change(REVIEWS)
    leased = site.ledger.links.attach(site.ground.stored(8), site.ground.key).run
    site.ground.erase(leased, 8)
    with site.ledger.engine.connect() as connection:
        kept = connection.execute(select(set_aside.c.link_id)).scalars().all()
    assert kept == [bob.lease.link_id]
    assert site.change(RATINGS).returned == 1
    assert site.link(ada.lease.link_id).records == {}


@pytest.mark.parametrize(("side", "remote_id"), [(Side.WIX, "w1"), (Side.EXTERNAL, "e1")])
def test_request_to_forget_finds_a_link_that_is_set_aside(
    site: ChangeGround, side: Side, remote_id: str
) -> None:
    """One of Wix reaches the external record; the ids of both sides are hashed at the end."""
    site_id, directory = site.ground.site_id, site.ledger.directory
    site.ground.link(ADA, 1)
    site.ground.link(BOB, 2)
    site.change(REVIEWS)
    for unknown in (remote_id[:1], "%1", f'"{remote_id}"', "w9"):
        assert directory.reopen_set_aside(site_id, side, unknown) is None
    assert directory.reopen_set_aside(site_id, side.other, remote_id) is None
    assert directory.reopen_set_aside(site_id, side, remote_id) == site.ground.key
    on_file = site.on_file(Side.EXTERNAL, "e1")
    assert (on_file is not None) == (side is Side.WIX)
    assert site.on_file(Side.WIX, "w1") is None
    leased = site.ledger.links.attach(site.ground.stored(8), site.ground.key).run
    gone = Commit(link_state=LinkState.BURIED, release=True, erases=True)
    site.ledger.links.commit(
        leased.lease,
        replace(gone, records={EXTERNAL_SLOT: None}, buried=[Buried(side, remote_id)]),
    )
    for one, name in ((Side.WIX, "w1"), (Side.EXTERNAL, "e1")):
        assert directory.locate(site_id, one, name).buried == Buried(one, name, privacy=True)
    assert site.change(RATINGS).returned == 1
    assert "'w2'" in site.ledger.everything()


def test_record_on_file_again_is_left_to_its_link(site: ChangeGround) -> None:
    """The other API has found the same external record, for another person."""
    site.ground.link(ADA, 1)
    bob = site.ground.link(BOB, 2, records=False)
    site.change(REVIEWS)
    bob = site.ledger.links.lease(bob.lease.link_id)
    site.ledger.links.commit(bob.lease, Commit(records={EXTERNAL_SLOT: Known("e1", 2)}))
    site_id, locate = site.ground.site_id, site.ledger.directory.locate
    assert site.ledger.directory.reopen_set_aside(site_id, Side.WIX, "w1") == site.ground.key
    assert locate(site_id, Side.EXTERNAL, "e1").key == site.ground.key_of(BOB)


@pytest.mark.parametrize(("side", "remote_id"), [(Side.WIX, "w1"), (Side.EXTERNAL, "e1")])
def test_link_with_an_erased_record_does_not_come_back(
    site: ChangeGround, side: Side, remote_id: str
) -> None:
    ada, bob = (site.ground.link(who, number + 1) for number, who in enumerate((ADA, BOB)))
    site.change(REVIEWS)
    erased = Buried(side, remote_id, privacy=True)
    assert site.ledger.directory.bury(site.ground.site_id, erased)
    assert site.change(RATINGS).returned == 1
    assert site.link(ada.lease.link_id).records == {}
    assert site.link(bob.lease.link_id).records != {}
    with site.ledger.engine.connect() as connection:
        kept = connection.execute(select(set_aside.c.link_id, set_aside.c.wix_api)).all()
    assert kept == []


def ask_to_erase(site: ChangeGround, who: Contact, number: int) -> Link:
    """The link of a person as the run finds it that is to erase it outside."""
    change = Change.CONTACT_DELETED
    asked = site.ground.stored(number, change=change, remote_id=who.contact_id, privacy=True)
    (link_id,) = site.ledger.merges.hint_erasure(site.ground.site_id, who.contact_id, asked)
    leased = site.ledger.links.lease(link_id)
    assert [one.new.change for one in leased.deliveries][-1] is Change.ERASE
    found: Link = leased.link
    return found


def test_person_who_is_erased_has_on_file_outside_what_was_set_aside(site: ChangeGround) -> None:
    """Else nothing would remove the external record, and its id would be forgotten."""
    for number, who in enumerate((ADA, BOB)):
        site.ground.link(who, number + 1)
    site.change(REVIEWS)
    records = ask_to_erase(site, ADA, 8).records
    assert {slot: known.remote_id for slot, known in records.items()} == {EXTERNAL_SLOT: "e1"}
    assert records[EXTERNAL_SLOT].raw == {"by": ADA.email}
    assert site.on_file(Side.EXTERNAL, "e2") is None


@pytest.mark.parametrize("of", [ADA, BOB])
def test_record_that_is_on_file_by_now_stays_where_it_is(site: ChangeGround, of: Contact) -> None:
    """The link has found another one, or another link has found this one."""
    ada, bob = (site.ground.link(who, number + 1) for number, who in enumerate((ADA, BOB)))
    site.change(REVIEWS)
    found = {ADA: (ada.lease.link_id, "e9"), BOB: (bob.lease.link_id, "e1")}
    link_id, remote_id = found[of]
    leased = site.ledger.links.lease(link_id)
    site.ledger.links.commit(
        leased.lease, Commit(records={EXTERNAL_SLOT: Known(remote_id, 2)}, release=True)
    )
    records = ask_to_erase(site, ADA, 8).records
    shown = {known.remote_id for known in records.values()}
    assert shown == ({"e9"} if of is ADA else set())
