"""Accounts in SQL, on both databases: who may have which, and what waits for one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import AccountChange, AccountState, Side, Site, SiteSide, SiteState
from sync_worker.ledger.accounts.audit import write_audit
from sync_worker.ledger.accounts.store import StaleVersion, new_public_id
from sync_worker.ledger.administration.site_faults import SqlSiteFaults
from tests.integration.ledger.account_fleet import ACTOR, Fleet, fleet

__all__ = ["fleet"]  # a fixture


def test_farewells_of_shops_that_hang_do_not_stand_before_others(fleet: Fleet) -> None:
    """Those whose pause is not over are left out; one that failed comes after the others."""
    leavers = []
    for number in (1, 2, 3):
        given = fleet.give(fleet.site(number), f"shop-{number}", sealed={"token": "x"})
        fleet.store.revoke(given.public_id, ACTOR, keeps_secrets=True)
        leavers.append(given)
    first, second, third = leavers
    faults = SqlSiteFaults(fleet.ledger.transactions)
    faults.note("farewell", first.source, "Transient", 300.0)
    faults.note("farewell", second.source, "Transient", -1.0)
    faults.note("hooks", third.source, "Transient", 300.0)
    due = [one.public_id for one in fleet.store.leaving(50, "farewell")]
    assert due == [third.public_id, second.public_id]
    assert [one.public_id for one in fleet.store.leaving(1, "farewell")] == [third.public_id]


def test_given_account_is_found_by_site_name_and_address(fleet: Fleet) -> None:
    site = fleet.site()
    given = fleet.give(site, sealed={"token": "x1.sealed"})
    assert given.state is AccountState.NEW
    assert (given.secret_names, [one.address for one in given.addresses]) == (
        ("token",),
        [given.public_id],
    )
    for found in (
        fleet.beside.of_site(site.id),
        fleet.beside.by_public_id(given.public_id),
        fleet.beside.by_address(given.public_id),
    ):
        assert found == given
    assert fleet.beside.sealed_of(given.id)["token"].sealed == "x1.sealed"
    served = fleet.admin.sites.find(given.public_id)
    assert (served.connector, served.external_source) == ("shop", f"shop/{given.public_id}")
    assert served.account_state is AccountState.NEW
    assert not served.has_implicit_account


def test_public_ids_can_not_be_guessed() -> None:
    made = {new_public_id() for _ in range(100)}
    assert len(made) == 100
    assert {len(one) for one in made} == {26}
    assert all(one.isalnum() and one == one.lower() for one in made)


def test_site_has_one_account_at_a_time_and_an_account_one_site(fleet: Fleet) -> None:
    first, second = fleet.site(1), fleet.site(2)
    given = fleet.give(first)
    with pytest.raises(Misconfigured, match=f"site {first.id} has an account of shop already"):
        fleet.give(first, "https://another")
    with pytest.raises(Misconfigured, match=f"serves site {first.id} already"):
        fleet.give(second)
    other = fleet.give(second, "https://another")
    with pytest.raises(Misconfigured, match=f"serves site {first.id} already"):
        fleet.store.change(other.public_id, AccountChange(identity="https://shop"), actor=ACTOR)
    fleet.store.revoke(given.public_id, ACTOR)
    fleet.store.change(other.public_id, AccountChange(identity="https://shop"), actor=ACTOR)


def test_standing_of_a_site_knows_its_revoked_account(fleet: Fleet) -> None:
    site = fleet.site()
    fleet.store.revoke(fleet.give(site).public_id, ACTOR)
    (standing,) = fleet.admin.standing.sites()
    assert (standing.account, standing.is_given) == (AccountState.REVOKED, False)
    assert standing.revoked_at is not None
    given = fleet.give(site)
    (standing,) = fleet.admin.standing.sites()
    assert (standing.account, standing.source) == (AccountState.NEW, given.source)


def test_failing_accounts_are_listed_by_the_state_that_is_shown(fleet: Fleet) -> None:
    given = fleet.give(fleet.site(1))
    fleet.give(fleet.site(2), "https://another")
    fleet.ledger.site_sides.fail(SiteSide(given.site_id, Side.EXTERNAL), [], "401")
    listed = fleet.store.listed(is_failing=True)
    assert [one.public_id for one in listed] == [given.public_id]
    assert len(fleet.store.listed()) == 2


def test_two_who_give_one_account_at_once_do_not_both_get_it(fleet: Fleet) -> None:
    sites = [fleet.site(number) for number in range(4)]

    def give(site: Site) -> bool:
        try:
            fleet.give(site)
        except Misconfigured:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(give, sites)) == 1


def test_site_of_the_environment_is_given_no_account(fleet: Fleet) -> None:
    site, _ = fleet.admin.sites.add("instance-1", "shop", [])
    with pytest.raises(Misconfigured, match="with the settings of the environment"):
        fleet.give(site)
    with pytest.raises(Misconfigured, match="there is no site 77"):
        fleet.give(replace(site, id=77))
    fleet.admin.sites.set_state(fleet.site(2).id, SiteState.REMOVED)
    with pytest.raises(Misconfigured, match="the app is not installed on site 2"):
        fleet.give(replace(site, id=2))
    assert fleet.store.listed() == []


def test_changes_have_an_order_and_none_is_missed(fleet: Fleet) -> None:
    start = fleet.store.counter()
    first, second = (fleet.give(fleet.site(number), f"shop-{number}") for number in (1, 2))
    assert fleet.beside.counter() == start + 2
    seen = fleet.beside.changed_since(start, 1)
    assert [one.id for one in seen] == [first.id]
    assert [one.id for one in fleet.beside.changed_since(seen[0].changed, 9)] == [second.id]
    fleet.store.revoke(first.public_id, ACTOR)
    (revoked,) = fleet.beside.changed_since(start + 2, 9)
    assert (revoked.id, revoked.state) == (first.id, AccountState.REVOKED)


def test_change_of_what_somebody_changed_meanwhile_is_refused(fleet: Fleet) -> None:
    given = fleet.give(fleet.site())
    change = AccountChange(settings={"base_url": "https://new", "more": "1"})
    changed = fleet.store.change(given.public_id, change, version=given.version, actor=ACTOR)
    assert changed.settings == {"base_url": "https://new", "more": "1"}
    with pytest.raises(StaleVersion, match=r"version 2, not 1\): look at it again"):
        fleet.store.change(given.public_id, change, version=given.version, actor=ACTOR)
    left = fleet.store.change(given.public_id, AccountChange(left_out={"more"}), actor=ACTOR)
    assert left.settings == {"base_url": "https://new"}


def test_secret_before_counts_until_its_time(fleet: Fleet) -> None:
    given = fleet.give(fleet.site(), sealed={"token": "one", "hook": "old"})
    kept = AccountChange(sealed={"token": "two"}, keep_old_seconds=3600)
    fleet.store.change(given.public_id, kept, actor=ACTOR)
    token = fleet.beside.sealed_of(given.id)["token"]
    assert (token.sealed, token.previous) == ("two", "one")
    assert token.previous_until is not None
    fleet.store.change(given.public_id, AccountChange(sealed={"hook": "new"}), actor=ACTOR)
    assert fleet.beside.sealed_of(given.id)["hook"].previous is None
    with fleet.ledger.transactions.write() as connection:
        connection.execute(text("UPDATE account_secret SET previous_until = 1"))
    assert fleet.beside.sealed_of(given.id)["token"].previous is None
    fleet.store.change(given.public_id, AccountChange(left_out={"hook"}), actor=ACTOR)
    assert set(fleet.beside.sealed_of(given.id)) == {"token"}


def test_old_address_is_valid_for_its_time_only(fleet: Fleet) -> None:
    given = fleet.give(fleet.site())
    fresh = fleet.store.rotate_address(given.public_id, 3600, ACTOR)
    for address in (fresh, given.public_id):
        found = fleet.beside.by_address(address)
        assert found is not None
        assert [one.address for one in found.addresses] == [fresh, given.public_id]
    with fleet.ledger.transactions.write() as connection:
        over = "UPDATE account_address SET valid_until = 1 WHERE valid_until IS NOT NULL"
        connection.execute(text(over))
    assert fleet.beside.by_address(given.public_id) is None
    last = fleet.store.rotate_address(given.public_id, 0, ACTOR)
    assert fleet.beside.by_address(fresh) is None
    assert fleet.beside.by_address(last) is not None


def test_revoked_account_has_no_address_no_secret_and_no_way_back(fleet: Fleet) -> None:
    kept = AccountChange(sealed={"token": "two"}, keep_old_seconds=3600)
    given = fleet.give(fleet.site(), sealed={"token": "one"})
    fleet.store.change(given.public_id, kept, actor=ACTOR)
    revoked = fleet.store.revoke(given.public_id, ACTOR)
    assert (revoked.addresses, revoked.secret_names) == ((), ())
    assert revoked.wiped_at is not None
    assert fleet.beside.sealed_of(given.id) == {}
    assert fleet.beside.by_address(given.public_id) is None
    assert fleet.beside.of_site(given.site_id) is None
    for attempt in (
        lambda: fleet.store.change(given.public_id, kept, actor=ACTOR),
        lambda: fleet.store.rotate_address(given.public_id, 1, ACTOR),
        lambda: fleet.store.revoke(given.public_id, ACTOR),
    ):
        with pytest.raises(Misconfigured, match="is revoked and at its end"):
            attempt()


def test_secrets_stay_for_who_takes_our_webhooks_away_until_wiped(fleet: Fleet) -> None:
    given = fleet.give(fleet.site(), sealed={"token": "one"})
    revoked = fleet.store.revoke(given.public_id, ACTOR, keeps_secrets=True)
    assert revoked.wiped_at is None
    assert set(fleet.beside.sealed_of(given.id)) == {"token"}
    assert fleet.beside.by_address(given.public_id) is None
    fleet.store.wipe(given.public_id)
    assert fleet.beside.sealed_of(given.id) == {}
    wiped = fleet.beside.by_public_id(given.public_id)
    assert wiped is not None
    assert wiped.wiped_at is not None


def test_new_account_that_works_is_active_and_its_probe_is_kept(fleet: Fleet) -> None:
    given = fleet.give(fleet.site())
    probed = fleet.store.note_probe(given.public_id, {"list": "401"}, ACTOR)
    assert (probed.state, probed.probe) == (AccountState.NEW, {"list": "401"})
    probed = fleet.store.note_probe(given.public_id, {"list": "works"}, ACTOR, works=True)
    assert (probed.state, probed.probe) == (AccountState.ACTIVE, {"list": "works"})


def test_probe_takes_no_pause_back_that_came_meanwhile(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause waits for the note, or comes before it; never between its reading and writing."""
    given = fleet.give(fleet.site())
    pause = AccountChange(state=AccountState.PAUSED, paused_why="stop!")
    threads: list[Thread] = []

    def pause_meanwhile(*line: Any, **more: Any) -> None:
        if line[2] == "account.probe":
            pausing = partial(fleet.beside.change, given.public_id, pause, actor="cli:bob")
            threads.append(Thread(target=pausing))
            threads[0].start()
            threads[0].join(0.1)
        write_audit(*line, **more)

    monkeypatch.setattr("sync_worker.ledger.accounts.store.write_audit", pause_meanwhile)
    fleet.store.note_probe(given.public_id, {}, ACTOR, works=True)
    threads[0].join()
    paused = fleet.beside.by_public_id(given.public_id)
    assert paused is not None
    assert paused.state is AccountState.PAUSED


def test_changed_secret_has_a_refused_account_asked_at_once(fleet: Fleet) -> None:
    given = fleet.give(fleet.site(), sealed={"token": "wrong"})
    fleet.ledger.site_sides.fail(SiteSide(given.site_id, Side.EXTERNAL), [], "401")
    assert not fleet.other.site_sides.are_due()
    fleet.store.change(given.public_id, AccountChange(sealed={"token": "right"}), actor=ACTOR)
    assert fleet.other.site_sides.are_due()


def test_new_account_of_a_refused_site_is_asked_at_once(fleet: Fleet) -> None:
    site = fleet.site()
    wrong = fleet.give(site, sealed={"token": "wrong"})
    fleet.ledger.site_sides.fail(SiteSide(site.id, Side.EXTERNAL), [], "401")
    fleet.store.revoke(wrong.public_id, ACTOR)
    assert not fleet.other.site_sides.are_due()
    fleet.give(site, sealed={"token": "right"})
    assert fleet.other.site_sides.are_due()


def test_audit_tells_who_changed_what_and_no_secret(fleet: Fleet) -> None:
    given = fleet.give(fleet.site(), sealed={"token": "x1.canary-one"})
    fleet.store.change(
        given.public_id,
        AccountChange(settings={"base_url": "https://new"}, sealed={"token": "x1.canary-two"}),
        actor="console:7",
        why="moved",
    )
    fleet.store.revoke(given.public_id, ACTOR, "gone")
    revoked, changed, added = fleet.store.audit.of_account(given.id)
    assert (added.what, added.actor, added.site_id) == ("account.add", ACTOR, given.site_id)
    assert (changed.what, changed.actor, changed.why) == ("account.set", "console:7", "moved")
    assert changed.before == {"base_url": "https://shop"}
    assert changed.after == {"base_url": "https://new", "secrets": ["token"]}
    assert (revoked.what, revoked.why) == ("account.revoke", "gone")
    page = fleet.store.audit.of_site(given.site_id, limit=2)
    assert [one.id for one in page] == [revoked.id, changed.id]
    assert fleet.store.audit.of_site(given.site_id, before_id=changed.id) == [added]
    assert "canary" not in repr((revoked, changed, added))


def test_pages_of_accounts_show_each_once(fleet: Fleet) -> None:
    given = [fleet.give(fleet.site(number), f"shop-{number}").id for number in range(5)]
    first = fleet.store.listed(limit=3)
    rest = fleet.store.listed(after=first[-1].id, limit=3)
    assert [one.id for one in [*first, *rest]] == given
    assert fleet.store.listed(connector="other") == []
    assert len(fleet.store.listed(state=AccountState.NEW)) == 5


def test_second_pause_is_a_pause_in_the_audit(fleet: Fleet) -> None:
    given = fleet.give(fleet.site())
    for why in ("holidays", "moving"):
        pause = AccountChange(state=AccountState.PAUSED, paused_why=why)
        fleet.store.change(given.public_id, pause, actor=ACTOR)
    fleet.store.change(given.public_id, AccountChange(sealed={"token": "two"}), actor=ACTOR)
    said = [entry.what for entry in fleet.store.audit.of_account(given.id, None, 3)]
    assert said == ["account.set", "account.pause", "account.pause"]
