"""The port ``Inbox``: deliveries from the door to their end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync_worker.core.hold_keys import contact_hold_key, email_hold_key
from sync_worker.core.ports.inbox import (
    ERASED,
    RATE_LIMITED,
    RATE_LIMITED_AT_ONCE,
    UNKNOWN_SITE,
    Closing,
)
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import Change, InboxState, LinkState, NewDelivery, Side, SiteState
from sync_worker.ledger.administration.admin import ledger_admin
from tests.factories import a_delivery
from tests.integration.ledger.ground import BOB, Ground
from tests.twins.observed_ledger import ObservedLedger


class TestInbox:
    def test_same_delivery_id_is_stored_once(self, ground: Ground) -> None:
        first, again = (
            ground.ledger.inbox.store(a_delivery()),
            ground.ledger.inbox.store(a_delivery()),
        )
        assert (again.inbox_id, first.is_duplicate, again.is_duplicate) == (
            first.inbox_id,
            False,
            True,
        )

    def test_delivery_keeps_every_part(self, ground: Ground) -> None:
        new = a_delivery(
            payload={"score": Decimal("4.50"), "text": "schön", "list": [1, None, True]},
            sequence=7,
            is_restore=True,
            is_ours=True,
            privacy=True,
        )
        opened = ground.ledger.inbox.open_delivery(ground.ledger.inbox.store(new).inbox_id)
        assert opened is not None
        assert opened[0].new == new
        assert opened[0].new.payload == new.payload
        assert opened[1].instance_id == "instance-1"

    def test_thin_delivery_is_absorbed_only_until_a_run_takes_its_twin(
        self, ground: Ground
    ) -> None:
        thin = a_delivery(dedupe_id=None)
        first = ground.ledger.inbox.store(thin)
        assert ground.ledger.inbox.store(thin).is_duplicate
        ground.ledger.links.attach(first.inbox_id, ground.key)
        assert not ground.ledger.inbox.store(thin).is_duplicate

    def test_thin_delivery_that_tells_of_more_makes_its_twin_a_hint(self, ground: Ground) -> None:
        """Its revision and content are those of an edit before; a repetition tells nothing new."""
        inbox_id = ground.stored(1, dedupe_id=None)
        ground.stored(1, dedupe_id=None)
        assert not ground.ledger.inbox.open_delivery(inbox_id)[0].must_read
        assert ground.stored(2, dedupe_id=None) == inbox_id
        assert ground.ledger.inbox.open_delivery(inbox_id)[0].must_read

    def test_thin_delivery_waits_beside_the_twin_that_came_since(self, ground: Ground) -> None:
        """The remote is down: both are tried again, and the first counts what failed."""
        taken = ground.stored(dedupe_id=None)
        run = ground.ledger.links.attach(taken, ground.key).run
        ground.ledger.links.attach(ground.stored(dedupe_id=None), ground.key)
        ground.ledger.inbox.defer([taken], 30.0, "the remote is down", is_failure=True)
        assert ground.ledger.links.release(run.lease) == [2]
        both = ground.ledger.links.attach(2, ground.key).run.deliveries
        assert [(one.id, one.attempts) for one in both] == [(taken, 1), (2, 0)]
        ground.ledger.inbox.defer([1, 2], 0.0, "the remote is down", is_failure=True)
        assert ground.ledger.open_count() == 2

    def test_delivery_of_unknown_source_has_no_site(self, ground: Ground) -> None:
        opened = ground.ledger.inbox.open_delivery(ground.stored(source="instance-9"))
        assert opened is not None
        assert opened[1] is None

    def test_closed_delivery_is_not_opened_again(self, ground: Ground) -> None:
        inbox_id = ground.stored()
        ground.ledger.inbox.close(inbox_id, Closing(InboxState.DONE, "stale"))
        assert ground.ledger.inbox.open_delivery(inbox_id) is None

    def test_sweeper_rings_once_for_a_delivery_whose_doorbell_was_lost(
        self,
        ground: Ground,
    ) -> None:
        """The sweeper rings for a delivery whose doorbell was lost and then waits."""
        jump = ground.jump
        inbox_id = ground.stored()
        assert ground.ledger.inbox.due(10) == []
        jump(6)
        assert ground.ledger.inbox.due(10) == [inbox_id]
        assert ground.ledger.inbox.due(10) == []
        jump(11)
        assert ground.ledger.inbox.due(10) == [inbox_id]

    def test_sweeper_leaves_alone_what_has_its_message(self, ground: Ground) -> None:
        """Whatever it waits for; once its message is lost, it is rung for in the next turn."""
        for place, reason in enumerate(("", RATE_LIMITED)):
            ids = [ground.stored(10 * place + number) for number in range(4)]
            ground.ledger.inbox.defer(ids, 0.0, reason, is_failure=False)
            queued, others = ids[:3], ids[3:]
            assert ground.ledger.inbox.due(2, queued) == others
            assert ground.ledger.inbox.due(10, queued) == []
            seen = [ground.ledger.inbox.open_delivery(one)[0] for one in queued]
            assert {one.suspected_crashes for one in seen} == {0}
            assert ground.ledger.inbox.due(10) == queued

    def test_failures_back_off_and_end_held_after_two_days(self, ground: Ground) -> None:
        jump = ground.jump
        inbox_id = ground.stored()
        for _ in range(3):
            ground.ledger.inbox.defer([inbox_id], None, "the remote is down", is_failure=True)
        opened = ground.ledger.inbox.open_delivery(inbox_id)
        assert opened is not None
        assert opened[0].attempts == 3
        assert ground.ledger.inbox.due(10) == []
        jump(48 * 3600 + 60)
        ground.ledger.inbox.defer([inbox_id], None, "the remote is down", is_failure=True)
        assert ground.ledger.inbox.open_delivery(inbox_id) is None
        assert ground.ledger.inbox.release_held(None, inbox_ids=[inbox_id]) == [inbox_id]

    def test_waiting_for_the_budget_is_no_failed_attempt(self, ground: Ground) -> None:
        inbox_id = ground.stored()
        ground.ledger.inbox.defer([inbox_id], 0.0, "rate_limited", is_failure=False)
        assert ground.ledger.inbox.open_delivery(inbox_id)[0].attempts == 0
        assert ground.ledger.inbox.due(10) == [inbox_id]

    def test_sweep_rings_for_few_that_wait_for_a_budget_and_for_all_others(
        self,
        ground: Ground,
    ) -> None:
        """A sweep rings for few of those that wait for a budget and for all others."""
        waiting = [ground.stored(number) for number in range(20)]
        ground.ledger.inbox.defer(waiting, 0.0, RATE_LIMITED, is_failure=False)
        others = [ground.stored(number) for number in range(20, 23)]
        ground.ledger.inbox.defer(others, 0.0, "", is_failure=False)
        assert ground.ledger.inbox.due(100) == [*waiting[:RATE_LIMITED_AT_ONCE], *others]
        assert (
            ground.ledger.inbox.due(100) == waiting[RATE_LIMITED_AT_ONCE : 2 * RATE_LIMITED_AT_ONCE]
        )

    def test_what_a_remote_refuses_that_is_down_leaves_room_for_other_waits(
        self, ground: Ground
    ) -> None:
        """Hundreds are due of it in each turn, and others wait for a budget."""
        waiting = [ground.stored(number) for number in range(4)]
        ground.ledger.inbox.defer(waiting, 0.0, RATE_LIMITED, is_failure=False)
        refused = [ground.stored(number) for number in range(10, 30)]
        ground.ledger.inbox.defer(refused, 0.0, "the remote is down", is_failure=False)
        first = set(ground.ledger.inbox.due(8))
        assert len(first) == 8
        assert len(first & set(waiting)) == 2
        # Where nothing waits the whole turn is for what is due.
        ground.ledger.inbox.hold(waiting, "refused")
        assert len(ground.ledger.inbox.due(8)) == 8

    def test_what_is_held_for_a_thing_is_released_by_its_name(self, ground: Ground) -> None:
        inbox_id, other = ground.stored(1), ground.stored(2, remote_id="rating-2")
        ground.ledger.inbox.hold([inbox_id], "unknown_entity", hold_key="entity:wix:a")
        ground.ledger.inbox.hold([other], "unknown_entity", hold_key="entity:wix:b")
        assert ground.ledger.inbox.release_held(ground.site_id, hold_key="entity:wix:a") == [
            inbox_id
        ]
        delivery = ground.ledger.inbox.open_delivery(inbox_id)[0]
        assert delivery.must_read
        assert ground.ledger.inbox.open_delivery(other) is None

    def test_delivery_of_unknown_site_is_held_and_told_when_the_site_is_there(
        self, ground: Ground
    ) -> None:
        known, unknown = a_delivery(1), a_delivery(2, source="instance-9")
        inbox = ground.ledger.inbox
        assert inbox.hold_for_site(inbox.store(known).inbox_id, known) is None
        assert inbox.hold_for_site(inbox.store(unknown).inbox_id, unknown) == UNKNOWN_SITE

    def test_evidence_is_the_delivery_of_exactly_that_revision(self, ground: Ground) -> None:
        ground.stored(3)
        assert (
            ground.ledger.inbox.evidence(ground.key.site_id, Side.WIX, "rating-1", 3).new.dedupe_id
            == "event-3"
        )
        assert ground.ledger.inbox.evidence(ground.key.site_id, Side.WIX, "rating-1", 4) is None

    def test_held_among_many_ids_are_those_that_a_held_delivery_speaks_of(
        self, ground: Ground
    ) -> None:
        inbox_id = ground.ledger.inbox.store(
            NewDelivery(Side.EXTERNAL, "own-service", None, Change.UPSERT, "r7", {})
        ).inbox_id
        ids = [f"r{number}" for number in range(1200)]
        assert ground.ledger.inbox.held_among(ground.site_id, Side.EXTERNAL, ids) == frozenset()
        ground.ledger.inbox.hold([inbox_id], "unknown_contact")
        assert ground.ledger.inbox.held_among(ground.site_id, Side.EXTERNAL, ids) == {"r7"}
        assert ground.ledger.inbox.held_among(ground.site_id, Side.WIX, ids) == frozenset()


class TestLinkThatStandsStill:
    """A person has to release it; what frees one of its rows by itself leaves it as it is."""

    @pytest.fixture
    def held(self, ground: Ground) -> int:
        """A delivery that waits for a name, of a link that a person has to release."""
        run = ground.leased()
        (delivery,) = run.deliveries
        ground.ledger.links.commit(run.lease, Commit(link_state=LinkState.HELD))
        ground.ledger.inbox.hold([delivery.id], "site_paused", hold_key="contact:wix:a")
        ground.ledger.links.release(run.lease)
        return int(delivery.id)

    def state(self, ground: Ground) -> LinkState:
        link_id = ground.ledger.links.link_id(ground.key)
        state: LinkState = ground.ledger.links.lease(link_id).link.state
        return state

    def test_key_that_arrives_frees_no_held_link(self, ground: Ground, held: int) -> None:
        released = ground.ledger.inbox.release_held(ground.site_id, hold_key="contact:wix:a")
        assert (released, self.state(ground)) == ([held], LinkState.HELD)

    def test_site_that_goes_on_frees_no_held_link(self, ground: Ground, held: int) -> None:
        sites = ground.ledger.sites
        assert sites.note_lifecycle(ground.site_id, SiteState.REMOVED, None) == []
        assert sites.note_lifecycle(ground.site_id, SiteState.ACTIVE, None) == [held]
        assert self.state(ground) is LinkState.HELD

    def test_record_that_ends_frees_no_held_link(self, ground: Ground, held: int) -> None:
        told = ground.ledger.inbox.open_delivery(ground.stored(7))[0]
        assert ground.ledger.inbox.release_beside(told) == [held]
        assert self.state(ground) is LinkState.HELD

    def test_person_who_releases_frees_the_link(self, ground: Ground, held: int) -> None:
        assert ground.ledger.inbox.release_held(ground.site_id, inbox_ids=[held]) == [held]
        assert self.state(ground) is LinkState.LIVE

    def test_site_that_a_person_resumes_frees_no_held_link(self, ground: Ground, held: int) -> None:
        if not isinstance(ground.ledger, ObservedLedger):
            pytest.skip("the administration of sites is SQL only")
        admin = ledger_admin(ground.ledger.engine)
        assert admin.sites.set_state(ground.site_id, SiteState.ACTIVE) == [held]
        assert self.state(ground) is LinkState.HELD


class TestContactThatBecomesKnown:
    """By another rating, say: who waits for it goes on at once, without an event or a sweep."""

    WAITS = (
        ("unknown_contact", email_hold_key(str(BOB.email))),
        ("no_email", contact_hold_key(BOB.contact_id)),
        ("contact_unknown", contact_hold_key(BOB.contact_id)),
        ("address_unusable", contact_hold_key(BOB.contact_id)),
    )

    def test_what_waits_for_a_contact_goes_on_when_it_is_saved(self, ground: Ground) -> None:
        waiting = []
        for number, (reason, key) in enumerate(self.WAITS):
            waiting.append(ground.stored(number, remote_id=f"rating-{number}"))
            ground.ledger.inbox.hold([waiting[-1]], reason, hold_key=key)
        other = ground.stored(9, remote_id="rating-9")
        other_key = email_hold_key("carl@example.com")
        ground.ledger.inbox.hold([other], "unknown_contact", hold_key=other_key)
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        assert ground.ledger.inbox.due(10) == waiting

    def test_contact_that_is_known_already_releases_nothing(self, ground: Ground) -> None:
        """Wix refuses it, and only its event or a look tells that it does not any more."""
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        refused = ground.stored(1)
        key = contact_hold_key(BOB.contact_id)
        ground.ledger.inbox.hold([refused], "contact_unknown", hold_key=key)
        ground.ledger.directory.save_contact(ground.site_id, BOB)
        assert ground.ledger.inbox.due(10) == []


class TestSiteThatGoesOnMeanwhile:
    """A run that read a resting site holds its delivery after the release of all that waited."""

    def test_what_was_held_too_late_goes_on(self, ground: Ground) -> None:
        late, other = ground.stored(1), ground.stored(2)
        ground.ledger.inbox.hold([late], "site_paused")
        ground.ledger.inbox.hold([other], "unknown_entity")
        assert ground.ledger.sites.release_if_at_work(ground.site_id) == [late]

    def test_site_that_rests_releases_nothing(self, ground: Ground) -> None:
        held = ground.stored(1)
        ground.ledger.inbox.hold([held], "site_removed")
        ground.ledger.sites.note_lifecycle(ground.site_id, SiteState.REMOVED, None)
        assert ground.ledger.sites.release_if_at_work(ground.site_id) == []


class TestCrowd:
    """Many edits of one record that wait: one of them looks for all."""

    def test_crowd_of_edits_is_gathered_into_the_newest(self, ground: Ground) -> None:
        """By its revision, whichever is in hand; what tells more than an edit stays by itself."""
        inbox = ground.ledger.inbox
        others = [
            ground.stored(dedupe_id="of another", remote_id="rating-2"),
            ground.stored(dedupe_id="delete", change=Change.DELETE),
            ground.stored(dedupe_id="restore", is_restore=True),
            ground.stored(dedupe_id="erase", privacy=True),
            ground.stored(dedupe_id=None),
        ]
        edits = [
            ground.stored(dedupe_id=f"edit-{number}", revision=revision)
            for number, revision in enumerate([4, 9, 5, 6, 7])
        ]
        opened = inbox.open_delivery(edits[0])
        assert opened is not None
        assert not opened[0].is_crowded
        edits.append(ground.stored(dedupe_id="edit-5", revision=8))
        opened = inbox.open_delivery(edits[0])
        assert opened is not None
        assert opened[0].is_crowded
        assert not any(inbox.open_delivery(other)[0].is_crowded for other in others)
        kept = inbox.gather(opened[0])
        assert (kept.id, kept.must_read, kept.state) == (edits[1], True, InboxState.NEW)
        for inbox_id in others:
            assert inbox.open_delivery(inbox_id) is not None
        for inbox_id in edits:
            is_open = inbox.open_delivery(inbox_id) is not None
            assert is_open == (inbox_id == edits[1])
        # Their content is gone: no erasure has to find them. Nor do they prove a revision.
        assert inbox.evidence(ground.key.site_id, Side.WIX, "rating-1", 5) is None
        assert inbox.evidence(ground.key.site_id, Side.WIX, "rating-1", 9) is not None
        # Edits that come later are a crowd of their own; what was kept is none of it.
        assert not inbox.open_delivery(edits[1])[0].is_crowded

    def test_gathered_delivery_stays_when_others_are_gathered_again(self, ground: Ground) -> None:
        inbox = ground.ledger.inbox
        for turn in range(2):
            edits = [ground.stored(dedupe_id=f"{turn}-{number}") for number in range(6)]
            opened = inbox.open_delivery(edits[0])
            assert opened is not None
            assert opened[0].is_crowded
            assert inbox.gather(opened[0]).id == edits[-1]


class TestHeldOnce:
    """One rating that cannot be resolved stands in ``held`` once."""

    def held(
        self, ground: Ground, number: int, reason: str = "unknown_entity", **changes: Any
    ) -> int:
        key = changes.pop("hold_key", "thing")
        inbox_id = ground.stored(number, **changes)
        ground.ledger.inbox.hold([inbox_id], reason, hold_key=key)
        return inbox_id

    def standing(self, ground: Ground, hold_key: str = "thing") -> list[int]:
        return sorted(ground.ledger.inbox.release_held(ground.site_id, hold_key=hold_key))

    def test_word_that_two_workers_hold_stands_for_itself(self, ground: Ground) -> None:
        """One gathered it while the other had it in hand; both find no key for it."""
        older, newest = ground.stored(1), self.held(ground, 2)
        for reason, key in (("unknown_entity", "thing"), ("no_email", None)):
            ground.ledger.inbox.hold([newest], reason, hold_key=key)
        ground.ledger.inbox.hold([older, newest], "unknown_entity", hold_key="thing")
        assert self.standing(ground) == [newest]

    def test_word_held_for_another_cause_gathers_no_other(self, ground: Ground) -> None:
        """It was refused meanwhile: whoever has it in hand changes nothing any more."""
        waiting, refused = self.held(ground, 1), self.held(ground, 2, "refused", hold_key=None)
        ground.ledger.inbox.hold([refused], "unknown_entity", hold_key="thing")
        assert self.standing(ground) == [waiting]

    def test_newest_word_is_held_for_all(self, ground: Ground) -> None:
        """Whatever the others waited for; they have no content for an erasure to miss."""
        first = self.held(ground, 1, "no_email", hold_key=None)
        self.held(ground, 2)
        newest = self.held(ground, 3)
        assert ground.ledger.held_reasons() == ["unknown_entity"]
        assert ground.ledger.ended(first) == (InboxState.SUPERSEDED, f"gathered into {newest}")
        assert ground.ledger.inbox.evidence(ground.key.site_id, Side.WIX, "rating-1", 1) is None
        assert self.standing(ground) == [newest]

    def test_late_older_word_joins_what_waits_for_the_same(self, ground: Ground) -> None:
        newer = self.held(ground, 2)
        self.held(ground, 1)
        assert self.standing(ground) == [newer]

    def test_late_older_word_that_waits_for_another_thing_stays(self, ground: Ground) -> None:
        newer, older = self.held(ground, 2), self.held(ground, 1, hold_key="other")
        assert self.standing(ground) == [newer]
        assert self.standing(ground, "other") == [older]

    @pytest.mark.parametrize(
        "changes",
        [
            {"change": Change.DELETE},
            {"privacy": True},
            {"remote_id": "rating-2"},
            {"reason": "too_costly"},
        ],
        ids=str,
    )
    def test_other_words_stay_beside_it(self, ground: Ground, changes: dict[str, Any]) -> None:
        other = self.held(ground, 1, **changes)
        newer = self.held(ground, 2)
        assert self.standing(ground) == [other, newer]

    def test_erasure_of_the_newest_erases_all(self, ground: Ground) -> None:
        """Those too that had ended with an older one."""
        words = [self.held(ground, number) for number in (1, 2, 3)]
        ground.ledger.inbox.release_held(ground.site_id, inbox_ids=[words[-1]])
        ground.ledger.inbox.close(words[-1], ERASED)
        assert ground.ledger.ended(words[-1]) == (InboxState.DONE, "erased")
        assert "rating-1" not in ground.ledger.everything()
