"""The HTTP clients of one process, and what it found out about each remote, in bounded memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sync_worker.remotes.http.budget import AccountSlots, CallSlots, Wait
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import Observers
from sync_worker.remotes.http.outage import HostOutage, Outage
from sync_worker.telemetry.metrics import (
    count_call,
    observe_wait,
    slots_busy,
    watch_breaker_of_many,
)
from sync_worker.wiring.accounts.recent import Recent

# Each keeps a connection or two open: below the 1,024 files that a process may commonly have.
MAX_CLIENTS = 400
MAX_ACCOUNTS = 10_000
OBSERVERS = Observers(count_call, observe_wait)


@dataclass(frozen=True, slots=True)
class _Watched:
    """An outage, what tells of it, and the host that did not answer."""

    outage: Outage
    watch: Callable[[bool], None]
    host: str


@dataclass(frozen=True, slots=True)
class _Client:
    """``mark``: what it was made for; of another one it is of no use."""

    http: RemoteHttp
    mark: str


class Clients:
    """One client for each remote, so one set of connections, and one for those who wait.

    The one that was not used for longest is closed first. Shared by threads; a call that is under
    way on a closed client comes to its end. ``slots``: so many calls of all of them at a time.
    """

    def __init__(
        self,
        slots: int,
        clock: Callable[[], float] = time.monotonic,
        most_accounts: int = MAX_ACCOUNTS,
    ) -> None:
        self._most_slow, self._clock = slots * 3 // 4, clock
        self._slots = CallSlots(slots, slots_busy.set)
        self._clients = Recent[tuple[str, bool], _Client](
            MAX_CLIENTS, lambda client: client.http.close()
        )
        # Whoever has gone is shut no more.
        self._outages = Recent[str, _Watched](most_accounts, lambda known: known.watch(False))
        self._hosts = Recent[str, HostOutage](most_accounts)
        self._turn = threading.RLock()

    def of(
        self, name: str, wait: Wait | None, make: Callable[..., RemoteHttp], mark: str = ""
    ) -> RemoteHttp:
        """The client of a remote by its name, made if there is none for this mark."""
        key = (name, wait is not None)
        with self._turn:
            known = self._clients.get(key)
            if known is None or known.mark != mark:
                known = _Client(make(is_patient=wait is not None), mark)
                self._clients.put(key, known)
            return known.http.waiting(wait)

    def slots_of(self, name: str) -> AccountSlots:
        """The slots of the process, for the calls of a remote account."""
        return AccountSlots(self._slots, name)

    def outage(self, name: str, host: str, label: str) -> Outage:
        """One for each remote account, whoever calls: a quarter of the slots is left to others.

        ``host``: what it shares with other accounts; ``label``: what metrics call it.
        """
        with self._turn:
            known = self._outages.get(name)
            # Its owner may have given another address: what the one before did says nothing.
            if known is None or known.host != host:
                watch = watch_breaker_of_many(label)
                shared = self._host(host, label)
                outage = Outage(self._most_slow, self._clock, watch, shared, name)
                known = _Watched(outage, watch, host)
                self._outages.put(name, known)
            return known.outage

    def _host(self, host: str, label: str) -> HostOutage:
        known = self._hosts.get(host)
        if known is None:
            watch = watch_breaker_of_many(label)
            known = HostOutage(self._most_slow, self._clock, watch)
            self._hosts.put(host, known)
        return known
