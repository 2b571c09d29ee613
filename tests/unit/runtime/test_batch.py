"""Several deliveries in one task: how far it goes, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.ports.doorbell import MAX_BATCH, batch_size
from sync_worker.core.values import Change, Delivery, NewDelivery, Side
from sync_worker.runtime.celery.batch import BATCH_SECONDS, Batch
from sync_worker.runtime.celery.dashboard import Shown, ShownTogether, told
from sync_worker.runtime.celery.queued import IN_HAND_SECONDS

CELERY_SHOWS = 1024  # characters of a result: Task.resultrepr_maxsize
SYNCED = Outcome(OutcomeKind.SYNCED)


class Worker:
    """Each delivery takes ``seconds`` of its own clock."""

    def __init__(self, seconds: float = 0.0, stops_after: int = 100) -> None:
        self.now, self._seconds, self._stops_after = 0.0, seconds, stops_after
        self.processed: list[int] = []
        self.rung: list[int] = []
        self.batch = Batch(self.process, self.rung.extend, self.is_stopping, lambda: self.now)

    def process(self, inbox_id: int) -> Shown:
        self.processed.append(inbox_id)
        self.now += self._seconds
        return Shown(inbox_id, SYNCED, [])

    def is_stopping(self) -> bool:
        return len(self.processed) >= self._stops_after

    def work_off(self, *, comes_again: bool = False) -> ShownTogether:
        return self.batch.work_off([1, 2, 3, 4], comes_again=comes_again)


def test_all_are_processed_in_their_order() -> None:
    worker = Worker()
    assert worker.work_off().left == []
    assert (worker.processed, worker.rung) == ([1, 2, 3, 4], [])


def test_what_has_not_begun_in_time_is_rung_for() -> None:
    worker = Worker(BATCH_SECONDS / 2)
    assert worker.work_off().left == [3, 4]
    assert (worker.processed, worker.rung) == ([1, 2], [3, 4])


def test_what_the_sweeper_takes_for_lost_is_not_rung_for_twice() -> None:
    """The message is not in hand any more for the sweeper: it rings itself."""
    worker = Worker(IN_HAND_SECONDS)
    assert worker.work_off().left == [2, 3, 4]
    assert (worker.processed, worker.rung) == ([1], [])


def test_worker_that_is_to_end_begins_no_further_delivery() -> None:
    worker = Worker(stops_after=1)
    worker.work_off()
    assert (worker.processed, worker.rung) == ([1], [2, 3, 4])


def test_message_that_comes_again_is_taken_apart() -> None:
    """A worker may have died over one of them: the others need not go with it again."""
    worker = Worker()
    worker.work_off(comes_again=True)
    assert (worker.processed, worker.rung) == ([], [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("waiting", "size"), [(0, 1), (79, 1), (80, 4), (100, 5), (160, 8), (9000, MAX_BATCH)]
)
def test_more_share_a_message_the_more_wait(waiting: int, size: int) -> None:
    assert batch_size(waiting, threads=10) == size


# -- what Flower shows of it


def shown(inbox_id: int, outcome: Outcome, remote_id: str = "4711") -> Shown:
    new = NewDelivery(Side.EXTERNAL, "own-service", "d", Change.CONTACT_MERGED, remote_id, {})
    return Shown(inbox_id, outcome, [(Delivery(inbox_id, new), None)])


def event_of(ended: Sequence[Shown], left: Sequence[int] = ()) -> tuple[str, str, str]:
    event, fields = told({"result": repr(ShownTogether(ended, left))})
    return event, fields["result"], fields["args"]


def test_each_delivery_is_shown_with_its_end() -> None:
    held = Outcome(OutcomeKind.HELD, "unknown_entity")
    assert event_of([shown(7, SYNCED), shown(8, held, "5")], [9]) == (
        "task-failed",
        "held unknown_entity",
        "#7 external contact_merged 4711 synced; #8 external contact_merged 5 held unknown_entity;"
        " #9 postponed not_begun · site own-serv",
    )


def test_task_is_shown_as_the_worst_of_its_deliveries() -> None:
    """A failure, then what is tried again, then what crossed; nothing to do comes last."""
    ends = [OutcomeKind.DONE, OutcomeKind.IN_STEP, OutcomeKind.BUSY, OutcomeKind.FAILED]
    events = []
    while ends:
        events.append(event_of([shown(7, Outcome(kind)) for kind in ends])[:2])
        ends.pop()
    assert events == [
        ("task-failed", "failed"),
        ("task-retried", "busy"),
        ("task-succeeded", "in_step"),
        ("task-ignored", "done"),
    ]
    assert event_of([shown(7, SYNCED)], [8])[0] == "task-retried"


def test_longest_batch_is_shown_whole() -> None:
    longest = Outcome(OutcomeKind.CREATE_ACCEPTED, "r" * 128)
    deliveries = [shown(10**12 + one, longest, "ada@example.com") for one in range(MAX_BATCH)]
    assert len(repr(ShownTogether(deliveries))) <= CELERY_SHOWS
    assert "ada" not in repr(ShownTogether(deliveries))
