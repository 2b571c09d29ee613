"""The port ``SiteSides``: what a remote refuses waits together, and goes on together."""

from __future__ import annotations

from sync_worker.core.ports.links import Commit
from sync_worker.core.ports.site_sides import ACCOUNT_FAILING, PROBE_SECONDS
from sync_worker.core.values import Delivery, LinkState, Side, SiteSide
from tests.integration.ledger.ground import Ground


def account(ground: Ground, side: Side = Side.EXTERNAL) -> SiteSide:
    return SiteSide(ground.site_id, side)


def opened(ground: Ground, inbox_id: int) -> Delivery | None:
    found = ground.ledger.inbox.open_delivery(inbox_id)
    return None if found is None else found[0]


class TestAccounts:
    def test_refused_account_holds_what_is_in_hand_until_it_works(self, ground: Ground) -> None:
        waiting, other = ground.stored(1), ground.stored(2)
        ground.ledger.site_sides.fail(account(ground), [waiting], "401")
        assert ground.ledger.held_reasons() == [ACCOUNT_FAILING]
        assert ground.ledger.site(ground.site_id).failing == {Side.EXTERNAL}
        assert opened(ground, other) is not None
        assert ground.ledger.site_sides.recover(account(ground)) == [waiting]
        assert ground.ledger.site(ground.site_id).failing == frozenset()
        again = opened(ground, waiting)
        assert again is not None
        assert again.must_read

    def test_recovery_of_one_side_leaves_what_waits_for_the_other(self, ground: Ground) -> None:
        waiting = {side: ground.stored(number) for number, side in enumerate(Side)}
        for side, inbox_id in waiting.items():
            ground.ledger.site_sides.fail(account(ground, side), [inbox_id], "401")
        assert ground.ledger.site_sides.recover(account(ground)) == [waiting[Side.EXTERNAL]]
        assert ground.ledger.held_reasons() == [ACCOUNT_FAILING]

    def test_delivery_waits_only_for_an_account_that_fails_now(self, ground: Ground) -> None:
        """One that works again would let nothing go on that is held for it later."""
        first, late = ground.stored(1), ground.stored(2)
        assert not ground.ledger.site_sides.wait(account(ground), [first])
        ground.ledger.site_sides.fail(account(ground), [first], "401")
        ground.ledger.site_sides.recover(account(ground))
        assert not ground.ledger.site_sides.wait(account(ground), [late])
        assert opened(ground, late) is not None

    def test_failing_account_is_probed_once_a_minute_by_one_process(self, ground: Ground) -> None:
        accounts = ground.ledger.site_sides
        accounts.fail(account(ground), [], "401")
        assert accounts.to_probe() == []
        ground.jump(PROBE_SECONDS - 1)
        accounts.fail(account(ground), [], "401 again")  # which puts off nothing
        ground.jump(1)
        assert [(site.id, side) for site, side in accounts.to_probe()] == [
            (ground.site_id, Side.EXTERNAL)
        ]
        assert accounts.to_probe() == []
        ground.jump(PROBE_SECONDS)
        accounts.recover(account(ground))
        assert accounts.to_probe() == []

    def test_recovery_frees_no_link_that_a_person_has_to_release(self, ground: Ground) -> None:
        """Else a fight would go on, and a create that nobody has seen would be sent again."""
        run = ground.leased()
        ids = [delivery.id for delivery in run.deliveries]
        ground.ledger.links.commit(run.lease, Commit(link_state=LinkState.HELD))
        ground.ledger.site_sides.fail(account(ground), ids, "401")
        ground.ledger.links.release(run.lease)
        assert ground.ledger.site_sides.recover(account(ground)) == ids
        again = ground.ledger.links.lease(run.link.id)
        assert again is not None
        assert again.link.state is LinkState.HELD
