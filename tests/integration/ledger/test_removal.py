"""The app is removed from a site: its deliveries end without content, and begin anew with it."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from sync_worker.core.ports.inbox import SITE_REMOVED
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Change, Delivery, SiteState
from sync_worker.ledger.accounts.upkeep import SqlAccountUpkeep
from sync_worker.ledger.administration.admin import ledger_admin
from tests.integration.ledger.ground import ADA, Ground, SweepGround
from tests.twins.observed_ledger import ObservedLedger

CONTENT = {"record": "five stars, by Ada"}
# Only their own words tell what they ask for.
KEPT = {
    "merge": Change.CONTACT_MERGED,
    "deleted contact": Change.CONTACT_DELETED,
    "decision": Change.DECIDE,
    "failed create": Change.CREATE_FAILED,
}


def leaves(ground: Ground) -> None:
    assert ground.ledger.sites.note_lifecycle(ground.site_id, SiteState.REMOVED, None) == []


def returns(ground: Ground) -> list[int]:
    if ground.wait is not None:
        ground.wait(60.0)
    released: list[int] = ground.ledger.sites.note_lifecycle(ground.site_id, SiteState.ACTIVE, None)
    return released


def opened(ground: Ground, inbox_id: int) -> Delivery:
    delivery: Delivery = ground.ledger.inbox.open_delivery(inbox_id)[0]
    return delivery


def told(ground: Ground, number: int = 1, **changes: Any) -> int:
    changes = {"payload": CONTENT, "remote_id": f"rating-{number}", **changes}
    return ground.stored(number, **changes)


class TestEnd:
    def test_held_for_the_removal_means_done_without_content(self, ground: Ground) -> None:
        ended, merge = told(ground, 1), told(ground, 2, change=Change.CONTACT_MERGED)
        leaves(ground)
        ground.ledger.inbox.hold([ended, merge], SITE_REMOVED.reason)
        assert ground.ledger.ended(ended) == ("done", "site_removed")
        assert ground.ledger.ended(merge) == ("held", "site_removed")
        assert returns(ground) == [ended, merge]
        again = opened(ground, ended)
        assert (again.new.payload, again.must_read) == ({}, True)
        assert opened(ground, merge).new.payload == CONTENT

    @pytest.mark.parametrize("change", KEPT.values(), ids=KEPT)
    def test_what_no_look_tells_again_keeps_its_words(self, ground: Ground, change: Change) -> None:
        kept = told(ground, change=change)
        leaves(ground)
        ground.ledger.inbox.hold([kept], SITE_REMOVED.reason)
        assert returns(ground) == [kept]
        assert opened(ground, kept).new.payload == CONTENT

    def test_what_stands_held_for_itself_stays_so(self, ground: Ground) -> None:
        stopped = told(ground)
        ground.ledger.inbox.hold([stopped], "stopped")
        leaves(ground)
        ground.ledger.inbox.hold([stopped], SITE_REMOVED.reason)
        assert (ground.ledger.ended(stopped), returns(ground)) == (("held", "stopped"), [])

    def test_person_who_asks_is_forgotten_in_what_had_ended(self, ground: Ground) -> None:
        """Its content is gone, but not the name of its contact; and it does not begin anew."""
        leaves(ground)
        change = Change.CONTACT_CHANGED
        changed = told(ground, 1, change=change, remote_id=ADA.contact_id)
        ground.ledger.inbox.hold([changed], SITE_REMOVED.reason)
        change = Change.CONTACT_DELETED
        asked = told(ground, 2, change=change, remote_id=ADA.contact_id, privacy=True)
        ground.ledger.merges.hint_erasure(ground.site_id, ADA.contact_id, asked)
        ground.ledger.merges.erase_contact(ground.site_id, ADA.contact_id, asked)
        assert ground.ledger.ended(changed) == ("done", "erased")
        assert returns(ground) == []

    def test_news_of_the_removal_does_not_begin_anew(self, ground: Ground) -> None:
        news = ground.stored(1, change=Change.APP_REMOVED)
        leaves(ground)
        ground.ledger.inbox.close(news, SITE_REMOVED)
        assert returns(ground) == []

    def test_what_is_ended_too_late_begins_anew_by_the_next_look(self, ground: Ground) -> None:
        """A worker saw the site without our app, and it came back before the row had ended."""
        late = told(ground)
        leaves(ground)
        assert returns(ground) == []
        ground.ledger.inbox.hold([late], SITE_REMOVED.reason)
        assert ground.ledger.sites.release_if_at_work(ground.site_id) == [late]


class TestSweepOnReturn:
    def is_due(self, field: SweepGround) -> bool:
        due: bool = field.sweeps.is_due(field.site.id, RunKind.SWEEP, math.inf)
        return due

    def test_site_that_comes_back_is_swept_whole_whatever_the_schedule(
        self, field: SweepGround
    ) -> None:
        field.sweeps.end(field.begin())
        assert not self.is_due(field)
        leaves(field.ground)
        returns(field.ground)
        assert self.is_due(field)
        field.sweeps.end(field.begin())
        assert not self.is_due(field)

    def test_run_that_was_open_ends_and_another_one_follows(self, field: SweepGround) -> None:
        field.sweeps.end(field.begin())
        old = field.begin()
        field.sweeps.release_run(old)
        leaves(field.ground)
        returns(field.ground)
        resumed = field.begin()
        assert (resumed.id, resumed.is_resumed) == (old.id, True)
        field.sweeps.end(resumed)
        assert self.is_due(field)

    def test_installation_whose_removal_is_late_asks_for_a_sweep(self, field: SweepGround) -> None:
        """Wix told of nothing else in between, and its events come in any order."""
        field.sweeps.end(field.begin())
        states = field.ground.ledger.sites
        if field.ground.wait is not None:
            field.ground.wait(60.0)
        states.note_lifecycle(field.site.id, SiteState.ACTIVE, 200.0)
        assert self.is_due(field)
        states.note_lifecycle(field.site.id, SiteState.REMOVED, 100.0)
        assert self.is_due(field)

    def test_site_that_was_never_compared_waits_for_its_baseline(self, field: SweepGround) -> None:
        leaves(field.ground)
        returns(field.ground)
        assert not self.is_due(field)

    def test_pause_asks_for_no_sweep(self, field: SweepGround) -> None:
        field.sweeps.end(field.begin())
        if field.ground.wait is not None:
            field.ground.wait(60.0)
        field.ground.ledger.sites.note_lifecycle(field.site.id, SiteState.PAUSED, None)
        if isinstance(field.ground.ledger, ObservedLedger):
            ledger_admin(field.ground.ledger.engine).sites.set_state(
                field.site.id, SiteState.ACTIVE
            )
        assert not self.is_due(field)


class TestUpkeep:
    """What an earlier version held, and what had waited for something else before."""

    @pytest.fixture
    def upkeep(self, ground: Ground) -> SqlAccountUpkeep:
        if not isinstance(ground.ledger, ObservedLedger):
            pytest.skip("the upkeep of accounts is SQL only")
        return SqlAccountUpkeep(ground.ledger.transactions)

    def end(self, upkeep: SqlAccountUpkeep) -> int:
        return upkeep.end_for_removed(time.monotonic() + 60.0)

    def test_what_waits_for_a_removed_site_or_its_account_ends(
        self, ground: Ground, upkeep: SqlAccountUpkeep
    ) -> None:
        reasons = ("site_paused", "account_paused", "account_failing", "account_revoked")
        held = [told(ground, number) for number, _ in enumerate(reasons)]
        for inbox_id, reason in zip(held, reasons, strict=True):
            ground.ledger.inbox.hold([inbox_id], reason)
        others = {
            told(ground, 10): "unknown_entity",
            told(ground, 11): "site_recovery",
            told(ground, 12, change=Change.DECIDE): "site_paused",
        }
        for inbox_id, reason in others.items():
            ground.ledger.inbox.hold([inbox_id], reason)
        assert self.end(upkeep) == 0
        leaves(ground)
        assert self.end(upkeep) == len(held)
        assert {ground.ledger.ended(one) for one in held} == {("done", "site_removed")}
        for inbox_id, reason in others.items():
            assert ground.ledger.ended(inbox_id) == ("held", reason)
        assert self.end(upkeep) == 0
        assert set(held) < set(returns(ground))

    def test_what_is_to_be_tried_much_later_ends_now(
        self, ground: Ground, upkeep: SqlAccountUpkeep
    ) -> None:
        late, forgotten = told(ground, 1), told(ground, 2, change=Change.DELETE, privacy=True)
        for inbox_id in (late, forgotten):
            ground.ledger.inbox.defer([inbox_id], 3600.0, "outage", is_failure=False)
        self.end(upkeep)
        assert ground.ledger.inbox.due(10) == []
        leaves(ground)
        self.end(upkeep)
        # Whoever asks to be forgotten is served by its own tries.
        assert ground.ledger.inbox.due(10) == [late]
