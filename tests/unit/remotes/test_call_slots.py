"""How many calls are under way at a time, and whose turn it is."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from sync_worker.remotes.http.budget import CallSlots

LONG = 10.0


@contextmanager
def held(slots: CallSlots, account: str, seconds: float) -> Iterator[bool]:
    """One slot within so many seconds, given back whatever comes; or False, and none."""
    has_slot = slots.take(account, seconds)
    try:
        yield has_slot
    finally:
        if has_slot:
            slots.give_back(account)


class Callers:
    """Threads that take a slot each, and give it back when they are told to."""

    def __init__(self, slots: CallSlots) -> None:
        self.slots, self.began = slots, list[str]()
        self._ends = dict[str, threading.Event]()
        self._threads = dict[str, threading.Thread]()

    def call(self, name: str, account: str) -> None:
        """Let one begin or wait; the next comes after it."""
        end, came = threading.Event(), len(self.began) + self.waiting

        def work() -> None:
            with held(self.slots, account, LONG) as has_slot:
                assert has_slot
                self.began.append(name)
                assert end.wait(LONG)

        self._ends[name] = end
        self._threads[name] = threading.Thread(target=work)
        self._threads[name].start()
        wait_until(lambda: len(self.began) + self.waiting > came)

    @property
    def waiting(self) -> int:
        return len(self.slots._waiting)

    def end(self, name: str) -> None:
        self._ends[name].set()
        self._threads[name].join(LONG)

    def end_all(self) -> None:
        for end in self._ends.values():
            end.set()
        for thread in self._threads.values():
            thread.join(LONG)


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + LONG
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_no_more_calls_are_under_way_than_there_are_slots() -> None:
    told = list[int]()
    slots, turn, under_way, most = CallSlots(4, told.append), threading.Lock(), 0, 0
    are_four = threading.Event()

    def call(number: int) -> None:
        nonlocal under_way, most
        with held(slots, f"account-{number % 3}", LONG) as has_slot:
            assert has_slot
            with turn:
                under_way += 1
                most = max(most, under_way)
                if under_way == 4:
                    are_four.set()
            assert are_four.wait(LONG)
            time.sleep(0.001)  # a fifth one is given the time to come
            with turn:
                under_way -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(call, range(300)))
    assert most == 4
    assert max(told) == 4
    assert told[-1] == 0


def test_who_waits_for_longest_is_next() -> None:
    callers = Callers(CallSlots(1))
    for name in ("first", "second", "third"):
        callers.call(name, "a")
    callers.end("first")
    wait_until(lambda: callers.began == ["first", "second"])
    callers.end("second")
    wait_until(lambda: callers.began == ["first", "second", "third"])
    callers.end_all()


def test_account_below_its_quarter_goes_before_one_that_is_above() -> None:
    callers = Callers(CallSlots(8))
    for number in range(10):
        callers.call(f"busy-{number}", "busy")
    for number in range(3):
        callers.call(f"other-{number}", "other")
    for number in range(4):
        callers.end(f"busy-{number}")
        wait_until(lambda: len(callers.began) == 9 + number)  # noqa: B023 - asked at once
    # Two are a quarter; from there on who came first.
    assert callers.began[8:] == ["other-0", "other-1", "busy-8", "busy-9"]
    callers.end_all()


def test_account_alone_may_have_every_slot() -> None:
    callers = Callers(CallSlots(8))
    for number in range(8):
        callers.call(str(number), "alone")
    assert len(callers.began) == 8
    callers.end_all()


def test_who_finds_no_slot_in_time_holds_none() -> None:
    slots = CallSlots(1)
    assert slots.take("a", 0.0)
    for seconds in (0.0, 0.01):
        with held(slots, "a", seconds) as has_slot:
            assert not has_slot
    slots.give_back("a")
    assert slots.take("a", 0.0), "those that gave up took nothing with them"


def test_slot_given_to_a_thread_that_is_to_end_goes_to_the_next() -> None:
    """Python ends a thread at its next step: here that comes after it was given a slot."""
    slots, ended = CallSlots(1), list[bool]()
    assert slots.take("a", 0.0)

    def wait_and_end() -> None:
        with pytest.raises(SystemExit):
            slots.take("a", LONG)
        ended.append(True)

    thread = threading.Thread(target=wait_and_end)
    thread.start()
    wait_until(lambda: len(slots._waiting) == 1)
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )
    slots.give_back("a")
    thread.join(LONG)
    assert ended
    assert slots.take("a", 0.0)
