"""The port ``Links``: who may write a link, and what a holder learns of it."""

from __future__ import annotations

import pytest

from sync_worker.core.errors import LeaseLost
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import Buried, IntentState, LinkState, Side
from tests.factories import an_intent
from tests.integration.ledger.ground import ADA, BOB, Ground


class TestLeases:
    def test_link_is_leased_to_one_at_a_time(self, ground: Ground) -> None:
        run = ground.leased()
        assert ground.ledger.links.lease(run.lease.link_id) is None
        ground.ledger.links.release(run.lease)
        assert ground.ledger.links.lease(run.lease.link_id).lease.fence > run.lease.fence

    def test_lease_that_ran_out_writes_nothing_more(self, ground: Ground) -> None:
        jump = ground.jump
        late = ground.leased()
        jump(16)
        ground.ledger.links.lease(late.lease.link_id)
        with pytest.raises(LeaseLost):
            ground.ledger.links.renew(late.lease)
        with pytest.raises(LeaseLost):
            ground.ledger.links.open_intent(late.lease, an_intent())
        with pytest.raises(LeaseLost):
            ground.ledger.links.commit(late.lease, Commit(link_state=LinkState.BURIED))
        assert ground.ledger.open_intents() == 0

    def test_intent_leaves_time_for_its_call_under_new_and_old_leases(
        self,
        ground: Ground,
    ) -> None:
        """An intent leaves time for its call under a lease just taken and under an older one."""
        jump = ground.jump
        for age, intent_id in (
            (0.0, "intent-1"),
            (0.4, "intent-2"),
            (0.6, "intent-3"),
            (14.9, "intent-4"),
        ):
            run = ground.leased()
            jump(age)
            ground.ledger.links.open_intent(run.lease, an_intent(intent_id))
            jump(14.4)
            ground.ledger.links.commit(run.lease, Commit(intent_state=IntentState.CONFIRMED))
            ground.ledger.links.release(run.lease)

    def test_intent_is_refused_under_a_lease_that_another_has_taken_since(
        self, ground: Ground
    ) -> None:
        late = ground.leased()
        ground.ledger.links.release(late.lease)
        with pytest.raises(LeaseLost):
            ground.ledger.links.open_intent(late.lease, an_intent())
        assert ground.ledger.links.lease(late.lease.link_id) is not None
        with pytest.raises(LeaseLost):
            ground.ledger.links.open_intent(late.lease, an_intent())
        assert ground.ledger.open_intents() == 0

    def test_late_release_does_not_end_the_next_holders_lease(self, ground: Ground) -> None:
        jump = ground.jump
        late = ground.leased()
        jump(16)
        assert ground.ledger.links.lease(late.lease.link_id) is not None
        ground.ledger.links.release(late.lease)
        assert ground.ledger.links.lease(late.lease.link_id) is None

    def test_run_takes_every_open_delivery_of_its_link(self, ground: Ground) -> None:
        run = ground.leased(1)
        for number in (2, 3, 4):
            ground.ledger.links.attach(ground.stored(number), ground.key)
        ground.ledger.links.release(run.lease)
        run = ground.ledger.links.lease(run.lease.link_id)
        assert [delivery.new.dedupe_id for delivery in run.deliveries] == [
            "event-1",
            "event-2",
            "event-3",
            "event-4",
        ]

    def test_end_of_a_lease_tells_what_came_in_meanwhile(self, ground: Ground) -> None:
        run = ground.leased(1)
        assert ground.ledger.links.commit(run.lease, Commit()).fresh == ()
        second = ground.stored(2)
        assert ground.ledger.links.attach(second, ground.key).run is None
        assert list(ground.ledger.links.commit(run.lease, Commit(release=True)).fresh) == [second]
        again = ground.ledger.links.lease(run.lease.link_id)
        third = ground.stored(3)
        ground.ledger.links.attach(third, ground.key)
        assert list(ground.ledger.links.release(again.lease)) == [third]

    @pytest.mark.parametrize("privacy", [False, True])
    def test_run_says_which_of_its_deliveries_have_no_grave(
        self, ground: Ground, privacy: bool
    ) -> None:
        run = ground.leased()
        assert run.unburied == {(Side.WIX, "rating-1")}
        ground.ledger.links.release(run.lease)
        ground.ledger.directory.bury(ground.site_id, Buried(Side.EXTERNAL, "rating-1"))
        ground.ledger.directory.bury(ground.site_id, Buried(Side.WIX, "rating-2", privacy=privacy))
        run = ground.ledger.links.attach(ground.stored(2, remote_id="rating-2"), ground.key).run
        assert (Side.WIX, "rating-2") not in run.unburied

    def test_run_knows_that_its_contact_was_merged_away_and_the_other_its_kin(
        self, ground: Ground
    ) -> None:
        bob, ada = ground.link(BOB, 1), ground.link(ADA, 2)
        for run in (bob, ada):
            ground.ledger.links.release(run.lease)
        ground.merge(BOB, ADA)
        again = ground.ledger.links.lease(bob.link.id)
        assert (again.merged_into, again.contact.contact_id) == (ADA.contact_id, BOB.contact_id)
        assert ground.ledger.links.lease(ada.link.id).links_to_join == (bob.link.id,)
