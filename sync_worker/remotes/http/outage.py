"""A remote that hangs must not hold every slot of a worker: it is left alone for a moment.

Only silence counts, not failure: whoever refuses at once holds nobody up. What hangs for one
account is left alone by that account; a whole host only after several accounts found it silent.
Whatever hangs, a site has its share of the slots and no more.
"""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import get_ident

from sync_worker.core.errors import Away

SLOW_SECONDS = 2.0  # a call that is older is taken for one that hangs
MAX_SILENT = 3  # so many in a row, and nobody calls for a while
OPEN_SECONDS = 5.0
MAX_SILENT_ACCOUNTS = 3  # so many different ones, and nobody calls their host for a while
TOGETHER_SECONDS = 60.0  # a silence that is older says nothing about the host now
WARY_SECONDS = 60.0  # no site that was slow has more than its quarter
ALONE_SECONDS = 600.0  # without a delivery of another site


class HostOutage:
    """What the calls of all accounts at one host found out about it together. Shared by threads.

    One account that hangs says nothing about the others. After calls of three different accounts
    hung within a minute, and none got an answer meanwhile, none begins for five seconds; then one
    may try, and its answer lets all call again. ``most``: how many calls of three accounts or
    more may be slow at a time; while they are, no further one begins. ``turn`` guards all of it.
    """

    def __init__(
        self,
        most: int,
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[bool], None] = lambda is_shut: None,
    ) -> None:
        self.most, self.clock, self._observe = max(1, most), clock, observe
        self.turn = threading.Lock()
        self.numbers = itertools.count()
        self.under_way: dict[int, tuple[str, float]] = {}  # by ticket: whose call, and since when
        self.silent: dict[str, float] = {}  # accounts with no answer, and when; the newest last
        self.shut_until: float | None = None  # None: open to all

    def admit(self, account: str, now: float) -> None:
        """Whether a call of an account may begin now. Raises Away."""
        if self.shut_until is not None:
            until = self.shut_until
            # Its own silence is known: another account's try says more, and goes first.
            if account in self.silent:
                until += OPEN_SECONDS
            if now < until:
                raise _away(until - now)
        slow = [whose for whose, began in self.under_way.values() if now - began >= SLOW_SECONDS]
        if len(slow) >= self.most and len(set(slow)) >= MAX_SILENT_ACCOUNTS:
            raise _away(SLOW_SECONDS)

    def note_answer(self) -> None:
        """An answer to anybody shows that the host lives."""
        if self.shut_until is not None:
            self._observe(False)
        self.silent.clear()
        self.shut_until = None

    def note_silence(self, account: str, now: float) -> None:
        self.silent.pop(account, None)
        self.silent[account] = now
        while now - next(iter(self.silent.values())) > TOGETHER_SECONDS:
            del self.silent[next(iter(self.silent))]
        if self.shut_until is not None or len(self.silent) >= MAX_SILENT_ACCOUNTS:
            self._observe(True)
            self.shut_until = now + OPEN_SECONDS


class Outage:
    """What the calls of this process for one account found out about its remote.

    Shared by threads. ``most``: how many calls may be slow at a time; while they are, no further
    one begins. After three calls in a row that hung and got no answer, none begins for five
    seconds; then one may try, and its answer lets all call again. ``observe`` is told whether it
    is shut. ``host``: what other accounts there found out, too; ``account``: its name among them.
    """

    def __init__(
        self,
        most: int,
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[bool], None] = lambda is_shut: None,
        host: HostOutage | None = None,
        account: str = "",
    ) -> None:
        self._most, self._observe = max(1, most), observe
        self._host, self._account = host or HostOutage(most, clock), account
        self._clock, self._turn = self._host.clock, self._host.turn
        self._under_way: dict[int, float] = {}
        self._silent = 0
        self._shut_until: float | None = None  # None: open to all of the account

    def check(self) -> None:
        """Whether a call may begin now. Raises Away."""
        with self._turn:
            self._admit()

    def begin(self) -> int:
        """A ticket for one call; hand it back with ``end``. Raises Away."""
        with self._turn:
            self._admit()
            now, host = self._clock(), self._host
            # This one tries for all; if it never comes back, another one does.
            if self._shut_until is not None:
                self._shut_until = now + OPEN_SECONDS
            if host.shut_until is not None:
                host.shut_until = now + OPEN_SECONDS
            ticket = next(host.numbers)
            self._under_way[ticket] = now
            host.under_way[ticket] = (self._account, now)
            return ticket

    def _admit(self) -> None:
        now, host = self._clock(), self._host
        # Shut, and the pause is not over.
        if self._shut_until is not None and now < self._shut_until:
            raise _away(self._shut_until - now)
        # So many calls hang that another would only join them.
        if sum(now - began >= SLOW_SECONDS for began in self._under_way.values()) >= self._most:
            raise _away(SLOW_SECONDS)
        # On most days there is nothing to ask.
        if host.shut_until is not None or len(host.under_way) >= host.most:
            host.admit(self._account, now)

    def end(self, ticket: int, *, answered: bool) -> None:
        """How the call of a ticket went; ``answered``: whatever the answer was."""
        with self._turn:
            now, host = self._clock(), self._host
            del host.under_way[ticket]
            seconds = now - self._under_way.pop(ticket)
            # Any answer, an error too, shows that the remote lives.
            if answered:
                if self._shut_until is not None:
                    self._observe(False)
                self._silent, self._shut_until = 0, None
                if host.silent or host.shut_until is not None:
                    host.note_answer()
            # It hung without an answer. A quick failure holds nobody up and does not count.
            elif seconds >= SLOW_SECONDS:
                host.note_silence(self._account, now)
                self._silent += 1
                if self._silent >= MAX_SILENT:
                    self._observe(True)
                    self._shut_until = now + OPEN_SECONDS


def _away(seconds: float) -> Away:
    """Spread, so that what has waited does not come back all at once."""
    return Away(retry_after=seconds + random.uniform(0.0, OPEN_SECONDS))  # noqa: S311 - jitter spreads load; nothing to guess


@dataclass(slots=True)
class _Share:
    """What one site has in hand. ``began``: by who asked; ``most``: so many it may have now."""

    most: int
    began: dict[Hashable, float] = field(default_factory=dict)


class SlotShares:
    """Implements ports.Slots: the slots of one worker, shared by sites and by threads.

    A call that hangs holds its slot until its deadline, and its thread. So a site has deliveries in
    hand for a quarter of the slots for sure, and for more only where it has proved that its remotes
    answer quickly: with each delivery that asked them and ended at once it may have one more, until
    a quarter of the slots is left for others. One that took long puts it back at its quarter for a
    minute; so does, for a moment, that every thread was in use: others may have waited. Where no
    other site has been heard of for long, one may have them all; in a process that began a moment
    ago it has to prove that, too. Where there is no other site (``has_others``, asked once a minute
    at most), nobody has to wait for it. ``threads``: of the worker; without it as many as slots.
    ``who``: which of them asks.
    """

    def __init__(
        self,
        slots: int,
        clock: Callable[[], float] = time.monotonic,
        has_others: Callable[[], bool] = lambda: True,
        threads: int | None = None,
        who: Callable[[], Hashable] = get_ident,
    ) -> None:
        self._clock, self._threads, self._ask_for_others = clock, threads or slots, has_others
        self._who = who
        self._has_others, self._ask_again_at = True, -math.inf
        self._quarter = max(1, slots // 4)
        self._most = max(1, self._threads - self._quarter)
        self._shares: dict[int, _Share] = {}
        self._slow_until: dict[int, float] = {}  # by site
        self._busy = 0
        self._full_at = -math.inf  # when every thread was in use last
        self._latest: int | None = None  # the site of the newest delivery
        self._changed_at = clock()  # when it was another one last; nobody knows what was before
        self._is_shared = False  # two sites were heard of
        self._turn = threading.Lock()

    def enter(self, site_id: int) -> bool:
        now = self._clock()
        with self._turn:
            if site_id != self._latest:
                self._is_shared = self._latest is not None
                self._latest, self._changed_at = site_id, now
            share = self._shares.get(site_id)
            if share is None:
                share = self._shares[site_id] = _Share(self._quarter)
            if len(share.began) >= self._quarter and self._has_enough(site_id, share, now):
                return False
            share.began[self._who()] = now
            self._busy += 1
            if self._busy >= self._threads:
                self._full_at = now
            return True

    def _has_enough(self, site_id: int, share: _Share, now: float) -> bool:
        """Whether a site that has its quarter gets no more."""
        is_alone = now - self._changed_at > ALONE_SECONDS
        if is_alone or self._is_the_only_one(now):
            return False
        # Its newer ones would only join those that hang, or did a moment ago.
        hangs = now - min(share.began.values()) >= SLOW_SECONDS
        if hangs or now < self._slow_until.get(site_id, -math.inf):
            return True
        if len(share.began) >= share.most:
            return True
        # Others may wait for what it has beyond its quarter, and the last one is for those that
        # have not had theirs.
        may_wait = now - self._full_at < SLOW_SECONDS
        return self._is_shared and (may_wait or self._busy >= self._most)

    def _is_the_only_one(self, now: float) -> bool:
        """Whether there is no other site, as far as is known."""
        if now >= self._ask_again_at:
            self._ask_again_at = now + WARY_SECONDS
            self._has_others = self._ask_for_others()
        return not self._has_others

    def leave(self, site_id: int, *, is_proof: bool) -> None:
        now = self._clock()
        with self._turn:
            share = self._shares[site_id]
            seconds = now - share.began.pop(self._who())
            self._busy -= 1
            if seconds >= SLOW_SECONDS:
                share.most = self._quarter
                self._note_slow(site_id, now)
            elif is_proof:
                share.most = min(self._threads, share.most + 1)
            if not share.began:
                del self._shares[site_id]

    def _note_slow(self, site_id: int, now: float) -> None:
        """Remember it for a minute; what is over goes."""
        for other in [one for one, until in self._slow_until.items() if until <= now]:
            del self._slow_until[other]
        self._slow_until[site_id] = now + WARY_SECONDS
