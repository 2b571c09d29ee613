"""The port ``Inbox``: deliveries from the door to their end."""

from __future__ import annotations

from decimal import Decimal

from sync_worker.core.ports.inbox import RATE_LIMITED, RATE_LIMITED_AT_ONCE, UNKNOWN_SITE, Closing
from sync_worker.core.values import Change, InboxState, NewDelivery, Side
from tests.factories import a_delivery, an_intent
from tests.integration.ledger.ground import Ground


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

    def test_twin_keeps_the_latest_of_what_it_absorbed(self, ground: Ground) -> None:
        """In any order, and also where it is a hint already: it may be all that tells of it."""
        inbox_id = ground.stored(2, dedupe_id=None)
        for revision in (1, 4, 3):
            assert ground.stored(revision, dedupe_id=None) == inbox_id
        kept = ground.ledger.inbox.open_delivery(inbox_id)[0]
        assert (kept.new.revision, kept.must_read) == (4, True)
        assert kept.new.payload == a_delivery(4).payload

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

    def test_delivery_whose_write_is_of_unknown_outcome_is_not_gathered(
        self, ground: Ground
    ) -> None:
        """The record may have moved: then the newest edit leads to another rating, and no run asks
        again what became of the write.
        """
        inbox, links = ground.ledger.inbox, ground.ledger.links
        asks = ground.stored(0, dedupe_id="asks")
        run = links.attach(asks, ground.key).run
        assert links.open_intent(run.lease, an_intent())
        inbox.defer([asks], 30.0, "no answer", is_failure=True)
        links.release(run.lease)
        edits = [ground.stored(number) for number in range(1, 7)]
        assert inbox.gather(inbox.open_delivery(edits[0])[0]).id == edits[-1]
        assert inbox.open_delivery(asks) is not None
        assert inbox.open_delivery(edits[1]) is None
