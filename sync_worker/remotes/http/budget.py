"""Who may call now: the request budget as the client sees it, and the slots of the process.

A thread needs a slot for the call alone. What it does before and after, in the ledger above all,
goes on while other threads call: so a worker has more threads than slots (``Settings.threads``).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sync_worker.core.errors import RateLimited

Wait = Callable[[float], None]

PAUSE_SECONDS = 0.25  # where a refusal does not say for how long
MAX_WAIT_SECONDS = 30.0  # of one call for its token; who asks for longer says no
# With the deadline of a call, 8 s, still within the lease of 15 s that is renewed before it.
NEXT_CALL_SECONDS = 5.0
UNDER_WAY_SECONDS = 10.0  # since the last token: a call at its deadline lies in between


class Budget(Protocol):
    """The request budget of one remote account, shared by the fleet."""

    def take(self) -> None:
        """One token. Raises RateLimited with the seconds to wait."""

    def penalise(self, seconds: float) -> None:
        """The remote said 429: nobody of the fleet asks for this long."""


class NoBudget:
    """Implements Budget for calls that do not count."""

    def take(self) -> None:
        return

    def penalise(self, seconds: float) -> None:
        return


class WaitingBudget:
    """Implements Budget over another for those who can wait: a call gets its token in the end.

    Without it work of several calls may never end: it begins anew with each refusal, and somebody
    else has its tokens meanwhile. ``wait`` waits so many seconds, and may raise to stop. Threads
    have their tokens in the order in which they came: else one of them may wait past its lease.
    """

    def __init__(self, budget: Budget, wait: Wait, max_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._budget, self._wait, self._max_seconds = budget, wait, max_seconds
        self._turn = threading.Lock()

    def take(self) -> None:
        """Raises RateLimited where it would take longer than ``max_seconds``."""
        if not self._turn.acquire(timeout=self._max_seconds):
            raise RateLimited(retry_after=PAUSE_SECONDS)
        try:
            self._take_first()
        finally:
            self._turn.release()

    def _take_first(self) -> None:
        waited = 0.0
        while True:
            try:
                return self._budget.take()
            except RateLimited as refusal:
                seconds = refusal.retry_after or PAUSE_SECONDS
                waited += seconds
                if waited > self._max_seconds:
                    raise
                self._wait(seconds)

    def penalise(self, seconds: float) -> None:
        self._budget.penalise(seconds)


class BudgetOfWebhooks:
    """Implements Budget over another for those who do not wait, but for work that is under way.

    Who had a token a moment ago waits some seconds for the next one, a thread at a time; the others
    are refused at once, and come again later. Else work of two calls never ends where the bucket
    holds one token: each attempt spends it on the first call.
    """

    def __init__(
        self, budget: Budget, wait: Wait = time.sleep, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget, self._clock = budget, clock
        self._next = WaitingBudget(budget, wait, NEXT_CALL_SECONDS)
        self._mine, self._turn = threading.local(), threading.Lock()

    def take(self) -> None:
        """One token. Raises RateLimited with the seconds to wait."""
        try:
            self._budget.take()
        except RateLimited:
            if not self._is_under_way() or not self._turn.acquire(blocking=False):
                raise
            try:
                self._next.take()
            finally:
                self._turn.release()
        self._mine.had_one_at = self._clock()

    def _is_under_way(self) -> bool:
        had_one_at: float | None = getattr(self._mine, "had_one_at", None)
        return had_one_at is not None and self._clock() - had_one_at < UNDER_WAY_SECONDS

    def penalise(self, seconds: float) -> None:
        self._budget.penalise(seconds)


# -- slots


@dataclass(slots=True, eq=False)
class _Waiting:
    """A thread that waits for a slot. ``has_slot``: it was given one, and may not know yet."""

    account: str
    told: threading.Event = field(default_factory=threading.Event)
    has_slot: bool = False


class CallSlots:
    """So many calls may be under way at a time. Shared by the threads of a process.

    A slot that comes free goes to who has waited for longest; but while accounts wait that have
    less than a quarter of the slots, to the first of those. ``tell`` hears how many are in use.
    """

    def __init__(self, slots: int, tell: Callable[[int], None] = lambda in_use: None) -> None:
        self._slots, self._quarter, self._tell = slots, max(1, slots // 4), tell
        self._in_use: Counter[str] = Counter()  # by account
        self._count = 0
        self._waiting: deque[_Waiting] = deque()  # never any while a slot is free
        self._turn = threading.Lock()

    def take(self, account: str, seconds: float) -> bool:
        """Whether a call of an account may begin, after so many seconds at the latest.

        If so, ``give_back`` comes after it.
        """
        with self._turn:
            # On most days one is free.
            if self._count < self._slots:
                self._in_use[account] += 1
                self._count += 1
                self._tell(self._count)
                return True
            if seconds <= 0:
                return False
            mine = _Waiting(account)
            self._waiting.append(mine)
        try:
            mine.told.wait(seconds)
        except BaseException:
            # The thread is to end: what it was given meanwhile is another one's.
            if self._stop_waiting(mine):
                self.give_back(account)
            raise
        return self._stop_waiting(mine)

    def _stop_waiting(self, mine: _Waiting) -> bool:
        """Whether it has a slot; if not, it gets none any more."""
        with self._turn:
            if not mine.has_slot:
                self._waiting.remove(mine)
            return mine.has_slot

    def give_back(self, account: str) -> None:
        """The call of an account is over."""
        with self._turn:
            self._in_use[account] -= 1
            # Many accounts come and go.
            if not self._in_use[account]:
                del self._in_use[account]
            self._count -= 1
            if self._waiting:
                following = self._whose_turn()
                self._waiting.remove(following)
                self._in_use[following.account] += 1
                self._count += 1
                following.has_slot = True
                following.told.set()
            self._tell(self._count)

    def _whose_turn(self) -> _Waiting:
        for one in self._waiting:
            if self._in_use[one.account] < self._quarter:
                return one
        return self._waiting[0]


@dataclass(frozen=True, slots=True)
class AccountSlots:
    """The slots of a process, and the account whose calls take them."""

    slots: CallSlots
    account: str = ""
