"""What deliveries and links of a site do as it gets an account, or another one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from sync_worker.core.errors import Misconfigured
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import AccountChange, AccountState, NewAccount, Side
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.ledger.accounts.moving import follow_account
from sync_worker.ledger.accounts.store import new_public_id
from sync_worker.ledger.statements.sites import active_sites
from tests.factories import EXTERNAL_ENTITY, WIX_ENTITY, a_delivery
from tests.integration.ledger.account_fleet import ACTOR, Fleet, fleet
from tests.simulation.world import OVERALL

__all__ = ["fleet"]  # a fixture


def test_what_is_held_for_a_key_is_counted_by_source(fleet: Fleet) -> None:
    assert fleet.admin.standing.locked_holds() == {}
    waits = a_delivery(1)
    fleet.ledger.inbox.hold([fleet.ledger.inbox.store(waits).inbox_id], "account_locked")
    assert fleet.admin.standing.locked_holds() == {waits.source: 1}


def test_what_waits_for_an_account_goes_on_with_it(fleet: Fleet) -> None:
    """Whichever way the account came to rest; what another site holds stays."""
    site, neighbour = fleet.site(1), fleet.site(2)
    waiting = fleet.ledger.inbox.store(a_delivery(1)).inbox_id
    theirs = replace(a_delivery(1), source="instance-2")
    fleet.ledger.inbox.hold([waiting], site.why_at_rest)
    assert site.why_at_rest == "no_account"
    fleet.ledger.inbox.hold([fleet.ledger.inbox.store(theirs).inbox_id], "no_account")
    given = fleet.give(site)
    assert fleet.held() == ["no_account"]
    fleet.store.change(
        given.public_id,
        AccountChange(state=AccountState.PAUSED, paused_why="a holiday"),
        actor=ACTOR,
    )
    paused = fleet.admin.sites.find(given.public_id)
    assert (paused.is_at_work, paused.why_at_rest) == (False, "account_paused")
    outside = a_delivery(2, side=Side.EXTERNAL)
    told = fleet.ledger.inbox.store(replace(outside, source=given.source)).inbox_id
    fleet.ledger.inbox.hold([waiting, told], "account_paused")
    assert fleet.ledger.sites.release_if_at_work(site.id) == []
    fleet.store.change(given.public_id, AccountChange(state=AccountState.ACTIVE), actor=ACTOR)
    assert fleet.held() == ["no_account"]
    fleet.store.revoke(given.public_id, ACTOR, "left")
    revoked = fleet.admin.sites.find(str(site.id))
    assert (revoked.is_at_work, revoked.why_at_rest) == (False, "account_revoked")
    assert revoked.is_out_of_reach(Side.EXTERNAL)
    fleet.ledger.inbox.hold([waiting, told], "account_revoked")
    again = fleet.give(site)
    assert fleet.held() == ["no_account"]
    opened = fleet.ledger.inbox.open_delivery(told)
    assert opened is not None
    assert (opened[0].new.source, opened[1] and opened[1].id) == (again.source, site.id)
    assert fleet.give(neighbour, "https://other").site_id == neighbour.id
    assert fleet.held() == []


def test_links_of_one_shop_are_not_taken_to_another(fleet: Fleet) -> None:
    site = fleet.site()
    given = fleet.give(site)
    fleet.ledger.directory.add_entity(site.id, WIX_ENTITY, EXTERNAL_ENTITY)
    fleet.store.revoke(given.public_id, ACTOR)
    with pytest.raises(Misconfigured, match="was in step with another account of shop"):
        fleet.give(site, "https://another")
    assert fleet.give(site).site_id == site.id


@pytest.mark.parametrize("connector", ["shop", "another-platform"])
def test_what_another_shop_told_ends_unread(fleet: Fleet, connector: str) -> None:
    """A site was given the wrong shop; ids there may be ids of the right one, too."""
    site = fleet.site()
    wrong = fleet.give(site, "wrong-shop")
    first, late = (
        replace(a_delivery(number, side=Side.EXTERNAL), source=wrong.source) for number in (1, 2)
    )
    waiting = fleet.ledger.inbox.store(first).inbox_id
    fleet.ledger.inbox.hold([waiting], "unknown_entity", hold_key="product 17")
    fleet.admin.proposals.replace(site.id, [ProposedPair(WIX_ENTITY, EXTERNAL_ENTITY, "id")])
    fleet.admin.onboarding.note(site.id, "dry_run", "done", "with the wrong shop", ACTOR)
    whole = fleet.ledger.sweeps.begin(site.id, RunKind.SWEEP)
    assert whole is not None
    fleet.ledger.sweeps.end(whole)
    sweep = fleet.ledger.sweeps.begin(site.id, RunKind.DRY_RUN)
    assert sweep is not None
    fleet.store.revoke(wrong.public_id, ACTOR, "that was the wrong shop")
    right = fleet.give(site, "right-shop", connector=connector)
    # Taken in by a gateway that did not know yet.
    stored = fleet.ledger.inbox.store(late).inbox_id
    assert fleet.ledger.inbox.hold_for_site(stored, late) is not None
    with fleet.ledger.engine.connect() as connection:
        rows = connection.execute(text("SELECT source, state, payload FROM inbox")).all()
        proposals = connection.execute(text("SELECT count(*) FROM entity_proposal")).scalar_one()
    assert {(row.source, row.state) for row in rows} == {(wrong.source, "superseded")}
    assert {str(row.payload) for row in rows} == {"{}"}
    assert proposals == 0
    assert fleet.admin.onboarding.steps(site.id) == {}
    # The run that had ended compared the wrong shop.
    (standing,) = fleet.admin.standing.sites()
    assert not standing.is_compared
    assert fleet.ledger.sweeps.begin(site.id, RunKind.POLL) is not None
    assert right.identity == "right-shop"


def test_late_hint_is_looked_at_though_an_older_one_has_ended(fleet: Fleet) -> None:
    """The same record changed again: a look that is over does not serve for it."""
    site = fleet.site()
    old = fleet.give(site)
    fleet.store.revoke(old.public_id, ACTOR)
    today = fleet.give(site)
    thin = a_delivery(1, side=Side.EXTERNAL, dedupe_id=None, revision=None)
    fleet.ledger.inbox.store(replace(thin, source=today.source))
    with fleet.ledger.transactions.write() as connection:
        connection.execute(text("UPDATE inbox SET state = 'done', closed_at = 1"))
    late = replace(thin, source=old.source)
    again = fleet.ledger.inbox.store(late).inbox_id
    fleet.ledger.inbox.hold([again], "unknown_site")
    assert follow_account(fleet.ledger.transactions, again, late) is None
    with fleet.ledger.engine.connect() as connection:
        found = connection.execute(text("SELECT source, state FROM inbox ORDER BY id")).all()
    assert found[1].source == today.source
    assert found[1].state != "superseded"


def test_late_delivery_follows_a_shop_that_has_another_name(fleet: Fleet) -> None:
    site = fleet.site()
    old = fleet.give(site, "shop-under-its-old-name")
    fleet.store.revoke(old.public_id, ACTOR)
    today = fleet.give(site, "shop-under-its-new-name", is_same_shop=True)
    late = replace(a_delivery(1, side=Side.EXTERNAL), source=old.source)
    stored = fleet.ledger.inbox.store(late).inbox_id
    assert fleet.ledger.inbox.hold_for_site(stored, late) is None
    with fleet.ledger.engine.connect() as connection:
        row = connection.execute(text("SELECT source, state FROM inbox")).one()
    assert tuple(row) == (today.source, "held")


def test_account_becomes_another_shops_only_before_it_was_told_something(fleet: Fleet) -> None:
    given = fleet.give(fleet.site(), "misspelt")
    other = AccountChange(identity="right-shop", is_other_shop=True)
    fleet.store.change(given.public_id, other, actor=ACTOR)
    fleet.ledger.inbox.store(replace(a_delivery(1, side=Side.EXTERNAL), source=given.source))
    wrong = AccountChange(identity="another", is_other_shop=True)
    with pytest.raises(Misconfigured, match=r"are of right-shop \(shop\), and this is another"):
        fleet.store.change(given.public_id, wrong, actor=ACTOR)


def test_first_account_brings_the_fields_and_no_later_one(fleet: Fleet) -> None:
    site = fleet.site()
    new = NewAccount(new_public_id(), site.id, "shop", "a", {})
    fleet.store.add(new, ACTOR, [OVERALL])
    assert fleet.admin.sites.find(new.public_id).fields == (OVERALL,)
    fleet.store.revoke(new.public_id, ACTOR)
    fleet.store.add(replace(new, public_id=new_public_id()), ACTOR, [replace(OVERALL, version=7)])
    assert fleet.admin.sites.find(str(site.id)).fields == (OVERALL,)


def test_two_sites_of_one_connector_have_their_own_inbox_and_turn(fleet: Fleet) -> None:
    sites = [fleet.site(number) for number in (1, 2)]
    accounts = [fleet.give(site, f"shop-{site.id}") for site in sites]
    for site, account in zip(sites, accounts, strict=True):
        told = replace(a_delivery(1, side=Side.EXTERNAL), source=account.source)
        opened = fleet.ledger.inbox.open_delivery(fleet.ledger.inbox.store(told).inbox_id)
        assert opened is not None
        assert opened[1] is not None
        assert opened[1].id == site.id
    fleet.store.change(accounts[0].public_id, AccountChange(state=AccountState.PAUSED), actor=ACTOR)
    with fleet.ledger.transactions.read() as connection:
        assert active_sites(connection) == [(sites[1].id, accounts[1].source)]
