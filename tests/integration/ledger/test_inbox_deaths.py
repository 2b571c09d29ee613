"""The port ``Inbox``: deliveries that workers die over."""

from __future__ import annotations

from typing import Any

import pytest

from sync_worker.core.ports.inbox import MAX_DEATHS, RATE_LIMITED, TRACK_AFTER, Look
from tests.integration.ledger.ground import Ground


def rung_again(ground: Ground, inbox_id: int) -> Any:
    """Nobody ended it and its time has come: the sweeper rings, and a worker opens it."""
    ground.ledger.make_due(inbox_id)
    assert ground.ledger.inbox.due(10) == [inbox_id]
    return ground.ledger.inbox.open_delivery(inbox_id)[0]


def doubtful(ground: Ground, inbox_id: int) -> Any:
    """The sweeper rang for it twice, and nobody ended it."""
    assert rung_again(ground, inbox_id).suspected_crashes == 1
    delivery = rung_again(ground, inbox_id)
    assert delivery.suspected_crashes == TRACK_AFTER
    return delivery


class TestDeathsOfWorkers:
    def test_dead_workers_delivery_is_due_within_thirty_seconds(self, ground: Ground) -> None:
        jump = ground.jump
        ground.leased()
        jump(25)
        assert len(ground.ledger.inbox.due(10)) == 1

    def test_delivery_that_workers_die_over_is_held_after_so_many_deaths(
        self, ground: Ground
    ) -> None:
        """In the middle of a run, too: what took it with its link does not bring its next attempt
        nearer.
        """
        inbox_id = ground.stored()
        delivery = doubtful(ground, inbox_id)
        for death in range(MAX_DEATHS):
            assert ground.ledger.inbox.begin_look(delivery) is Look.BEGUN
            run = ground.ledger.links.attach(inbox_id, ground.key).run
            assert [one.id for one in run.deliveries] == [inbox_id]
            assert ground.ledger.inbox.due(10) == []
            ground.ledger.links.release(run.lease)  # stands for a lease that ran out
            delivery = rung_again(ground, inbox_id)
            assert delivery.attempts == death
        assert ground.ledger.inbox.begin_look(delivery) is Look.GIVEN_UP
        assert ground.ledger.inbox.open_delivery(inbox_id) is None
        assert ground.ledger.inbox.release_held(None, inbox_ids=[inbox_id]) == [inbox_id]
        again = ground.ledger.inbox.open_delivery(inbox_id)[0]
        assert (again.suspected_crashes, again.attempts) == (0, 0)

    def test_wait_for_a_slot_is_no_look_and_takes_nothing_out_of_hands(
        self, ground: Ground
    ) -> None:
        """The signs of deaths stay, and so does a row that another worker has taken up."""
        waits = ground.stored()
        delivery = doubtful(ground, waits)
        ground.ledger.inbox.wait_for_slot(waits, 60.0)
        opened = ground.ledger.inbox.open_delivery(waits)[0]
        assert (opened.suspected_crashes, opened.reason) == (TRACK_AFTER, RATE_LIMITED)
        assert ground.ledger.inbox.due(10) == []
        run = ground.ledger.links.attach(waits, ground.key).run
        assert [one.id for one in run.deliveries] == [delivery.id]
        taken = ground.ledger.inbox.open_delivery(waits)[0]
        ground.ledger.inbox.wait_for_slot(waits, 600.0)
        assert ground.ledger.inbox.open_delivery(waits)[0] == taken

    def test_look_that_is_under_way_or_not_due_is_not_begun_again(self, ground: Ground) -> None:
        """A dead worker's message comes back after two minutes, whatever the next attempt says."""
        inbox_id = ground.stored()
        delivery = doubtful(ground, inbox_id)
        assert ground.ledger.inbox.begin_look(delivery) is Look.BEGUN
        assert ground.ledger.inbox.begin_look(delivery) is Look.EARLY
        assert (
            ground.ledger.inbox.begin_look(ground.ledger.inbox.open_delivery(inbox_id)[0])
            is Look.EARLY
        )

    @pytest.mark.parametrize("end", ["deferred", "ended without a word"])
    def test_look_that_ends_in_any_way_is_no_death(self, ground: Ground, end: str) -> None:
        inbox_id = ground.stored()
        assert ground.ledger.inbox.begin_look(doubtful(ground, inbox_id)) is Look.BEGUN
        if end == "deferred":
            ground.ledger.inbox.defer([inbox_id], 0.0, RATE_LIMITED, is_failure=False)
        ground.ledger.inbox.end_look(ground.ledger.inbox.open_delivery(inbox_id)[0])
        delivery = ground.ledger.inbox.open_delivery(inbox_id)[0]
        assert (delivery.suspected_crashes, delivery.attempts) == (0, 0)
        assert ground.ledger.inbox.due(10) == ([inbox_id] if end == "deferred" else [])

    def test_look_that_finds_the_lease_of_a_dead_worker_changes_no_count(
        self, ground: Ground
    ) -> None:
        """A long run renews its lease, so it may outlive the delivery's next attempt."""
        inbox_id = ground.stored()
        ground.ledger.inbox.begin_look(doubtful(ground, inbox_id))
        delivery = rung_again(ground, inbox_id)
        ground.ledger.inbox.begin_look(delivery)
        delivery = rung_again(ground, inbox_id)
        assert (delivery.suspected_crashes, delivery.attempts) == (TRACK_AFTER + 2, 1)
        ground.ledger.inbox.begin_look(delivery)
        ground.ledger.inbox.end_look(delivery, is_busy=True)
        assert ground.ledger.inbox.due(10) == []
        again = rung_again(ground, inbox_id)
        assert (again.suspected_crashes, again.attempts) == (
            delivery.suspected_crashes,
            delivery.attempts,
        )

    def test_deaths_are_retried_at_once_at_first_and_ever_later_then(self, ground: Ground) -> None:
        """The first three noted ones within 30 s, as any killed worker's; the last in minutes."""
        jump = ground.jump
        inbox_id = ground.stored()
        delivery = doubtful(ground, inbox_id)
        waits = []
        for _ in range(MAX_DEATHS):
            jump(10)
            ground.ledger.inbox.begin_look(delivery)
            seconds = 0
            while not ground.ledger.inbox.due(10):
                jump(5)
                seconds += 5
            waits.append(seconds)
            delivery = ground.ledger.inbox.open_delivery(inbox_id)[0]
        assert all(wait <= 25 for wait in waits[:3])
        assert all(
            5 * 2**number / 2 <= wait <= 5 * 2**number + 5
            for number, wait in enumerate(waits)
            if number > 3
        )
        assert waits[-1] > 20 * 60
