"""Which sites have the slots of a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sync_worker.remotes.http.outage import (
    ALONE_SECONDS,
    SLOW_SECONDS,
    WARY_SECONDS,
    SlotShares,
)

SLOTS, QUARTER = 16, 4
HANGS, OTHER, THIRD = 1, 2, 3


class Threads:
    """Each ``enter`` is a thread's of its own, which leaves when it is told to."""

    def __init__(self) -> None:
        self.now = 10_000.0
        self.shares = SlotShares(SLOTS, clock=lambda: self.now)
        self._in_hand: list[tuple[int, Callable[[], None]]] = []

    def enter(self, site_id: int, *, is_proof: bool = True) -> bool:
        ready, go = threading.Event(), threading.Event()
        answers: list[bool] = []

        def work() -> None:
            answers.append(self.shares.enter(site_id))
            ready.set()
            go.wait(10.0)
            if answers[0]:
                self.shares.leave(site_id, is_proof=is_proof)

        thread = threading.Thread(target=work)
        thread.start()
        assert ready.wait(10.0)

        def end() -> None:
            go.set()
            thread.join(10.0)

        if answers[0]:
            self._in_hand.append((site_id, end))
        else:
            end()
        return answers[0]

    def end(self, site_id: int | None = None) -> None:
        """End the work of a site, or of all."""
        for one in list(self._in_hand):
            if site_id in (None, one[0]):
                one[1]()
                self._in_hand.remove(one)

    def entered(self, site_id: int, tries: int) -> int:
        return sum(self.enter(site_id) for _ in range(tries))

    def work_on(self, site_id: int, *, is_proof: bool = True) -> int:
        """Many deliveries that end quickly, two begun for one that ends; how many are in hand."""
        for _ in range(SLOTS):
            self.now += 0.1
            mine = next((one for one in self._in_hand if one[0] == site_id), None)
            if mine is not None:
                # One of many ends, the others go on: it never rests.
                mine[1]()
                self._in_hand.remove(mine)
            self.enter(site_id, is_proof=is_proof)
            self.enter(site_id, is_proof=is_proof)
        return sum(one[0] == site_id for one in self._in_hand)


def test_site_that_hangs_holds_a_quarter_while_others_are_about() -> None:
    threads = Threads()
    assert threads.enter(OTHER)
    assert threads.entered(HANGS, 20) == QUARTER
    threads.now += SLOW_SECONDS
    assert threads.entered(HANGS, 20) == 0
    assert threads.enter(OTHER)
    assert threads.enter(THIRD)
    threads.end()


def test_site_that_is_alone_may_have_every_slot() -> None:
    threads = Threads()
    assert threads.enter(OTHER)
    threads.end()
    assert threads.entered(HANGS, SLOTS) == QUARTER
    threads.end()
    threads.now += ALONE_SECONDS + 1
    assert threads.entered(HANGS, SLOTS) == SLOTS
    threads.end()


def test_quarter_is_of_the_slots_and_all_of_the_threads() -> None:
    """A worker has more threads than slots: a site that hangs holds no more calls for it."""
    threads, more = Threads(), SLOTS * 3 // 2
    threads.shares = SlotShares(SLOTS, clock=lambda: threads.now, threads=more)
    assert threads.enter(OTHER)
    assert threads.entered(HANGS, more) == QUARTER
    threads.end()
    threads.now += ALONE_SECONDS + 1
    assert threads.entered(HANGS, more) == more
    threads.end()


def test_only_site_that_there_is_has_every_slot_from_the_first_call_on() -> None:
    """Also while its remotes hang: there is nobody to leave a slot to."""
    threads, several = Threads(), [False]
    threads.shares = SlotShares(SLOTS, clock=lambda: threads.now, has_others=lambda: several[0])
    assert threads.entered(HANGS, SLOTS) == SLOTS
    threads.now += SLOW_SECONDS
    threads.end()
    several[0] = True
    assert threads.entered(HANGS, SLOTS) == SLOTS, "asked once a minute"
    threads.now += WARY_SECONDS
    threads.end()
    assert threads.entered(HANGS, SLOTS) == QUARTER
    threads.end()


def test_first_site_of_a_process_has_every_slot_once_it_is_quick() -> None:
    """Which sites there are beside it shows later."""
    threads = Threads()
    assert threads.entered(HANGS, SLOTS) == QUARTER
    assert threads.work_on(HANGS) == SLOTS
    threads.now += SLOW_SECONDS
    threads.end()
    assert threads.entered(HANGS, SLOTS) == QUARTER
    threads.end()


def test_site_whose_work_ends_quickly_may_have_three_quarters() -> None:
    threads = Threads()
    assert threads.enter(OTHER)
    threads.end()
    assert threads.entered(HANGS, 20) == QUARTER
    assert threads.work_on(HANGS) == SLOTS - QUARTER
    threads.now += SLOW_SECONDS
    threads.end(HANGS)
    assert threads.entered(HANGS, 20) == QUARTER, "it took long: back at the quarter"
    threads.end()


def test_what_ends_without_asking_the_remotes_proves_nothing() -> None:
    """Contacts, echoes and refused calls of a site that hangs end quickly, too."""
    threads = Threads()
    assert threads.enter(OTHER)
    assert threads.work_on(HANGS, is_proof=False) == QUARTER
    threads.end()


def test_site_that_was_slow_keeps_to_its_quarter_for_a_minute() -> None:
    """Even if its reads are quick: its writes may hang."""
    threads = Threads()
    assert threads.enter(OTHER)
    assert threads.enter(HANGS)
    threads.now += SLOW_SECONDS
    threads.end(HANGS)
    assert threads.work_on(HANGS) == QUARTER
    threads.now += WARY_SECONDS
    threads.end(HANGS)
    threads.now += WARY_SECONDS
    assert threads.work_on(HANGS) > QUARTER
    threads.end()


def test_quick_site_is_back_at_its_quarter_while_others_wait() -> None:
    threads = Threads()
    assert threads.enter(OTHER)
    threads.end()
    assert threads.work_on(HANGS) == SLOTS - QUARTER
    assert threads.entered(OTHER, QUARTER) == QUARTER
    # None is left: whoever comes now waits in the queue. So those of the quick one go on to others.
    threads.end(HANGS)
    assert threads.entered(HANGS, SLOTS) == QUARTER
    assert threads.entered(THIRD, SLOTS) == QUARTER
    threads.end()


def test_slots_are_told_who_asks_where_one_thread_has_many() -> None:
    asks = [""]
    shares = SlotShares(SLOTS, who=lambda: asks[0])
    for asks[0] in "abcd":
        assert shares.enter(HANGS)
    asks[0] = "e"
    assert not shares.enter(HANGS)
    for asks[0] in "abcd":
        shares.leave(HANGS, is_proof=True)
    assert (shares._busy, shares._shares) == (0, {})


def test_all_slots_are_free_again_after_much_work() -> None:
    shares = SlotShares(SLOTS)

    def work(number: int) -> bool:
        site_id = number % 7
        if not shares.enter(site_id):
            return False
        shares.leave(site_id, is_proof=True)
        return True

    with ThreadPoolExecutor(SLOTS) as pool:
        done = list(pool.map(work, range(2000)))
    assert sum(done) > 1000
    assert (shares._busy, shares._shares) == (0, {})
