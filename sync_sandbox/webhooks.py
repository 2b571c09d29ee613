"""Sends webhooks as the real systems do: signed, retried on a schedule, sometimes twice, late, or
out of order.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import requests

from sync_sandbox.faults import Faults

WIX_RETRY_SECONDS = (60, 600, 3600, 7200, 7200, 7200, 14400, 14400, 14400, 28800, 28800, 43200)
TIMEOUT_SECONDS = 1.25
HISTORY = 200_000


@dataclass(slots=True)
class Sending:
    """One webhook on its way. ``sign`` makes body and headers anew for each attempt, as real
    senders do.

    ``address``: where to, given the sender's address; ``heard``: told of each answer's status (0:
    none).
    """

    event_id: str
    remote_id: str
    sign: Callable[[], tuple[bytes, Mapping[str, str]]]
    attempts: int = 0
    statuses: list[int] = field(default_factory=list)
    is_delivered: bool = False
    is_given_up: bool = False
    address: Callable[[str], str] = lambda url: url
    heard: Callable[[int], None] = lambda status: None


class WebhookSender:
    """A few threads that deliver. ``accepts``: which statuses end the retries."""

    def __init__(
        self,
        url: str | None,
        faults: Faults,
        *,
        accepts: Callable[[int], bool],
        retry_seconds: Sequence[float],
        threads: int = 4,
        seed: int = 0,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.url = url
        self.sent: list[Sending] = []
        self._faults = faults
        self._accepts = accepts
        self._retry_seconds = retry_seconds
        self._timeout_seconds = timeout_seconds
        self._random = random.Random(seed)
        self._due: list[tuple[float, int, Sending]] = []
        self._order = itertools.count()
        self._under_way = 0
        self._is_stopping = False
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def send(self, sending: Sending, *, delay: float = 0.0) -> None:
        """Send an event, if there is somewhere to send it to."""
        if self.url is None or self._faults.strikes("webhook_dropped"):
            return
        if self._faults.strikes("webhook_delayed"):
            delay += self._random.uniform(0.3, 2.0)
        with self._changed:
            if len(self.sent) < HISTORY:
                self.sent.append(sending)
        copies = 2 if self._faults.strikes("webhook_duplicated") else 1
        for _ in range(copies):
            self._schedule(sending, delay)

    def again(self, remote_id: str) -> int:
        """Redeliver all that was sent about a record, with the content of then.

        Returns how many.
        """
        with self._changed:
            chosen = [
                one for one in self.sent if one.remote_id == remote_id or one.event_id == remote_id
            ]
        for sending in chosen:
            self._schedule(sending, 0.0)
        return len(chosen)

    def _schedule(self, sending: Sending, delay: float) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + delay, next(self._order), sending))
            self._changed.notify()

    def _work(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (sending := self._next()) is not None:
                try:
                    self._attempt(session, sending)
                finally:
                    with self._changed:
                        self._under_way -= 1
                        self._changed.notify_all()

    def _next(self) -> Sending | None:
        with self._changed:
            while not self._is_stopping:
                if self._due and self._due[0][0] <= time.monotonic():
                    self._under_way += 1
                    return heapq.heappop(self._due)[2]
                wait = self._due[0][0] - time.monotonic() if self._due else None
                self._changed.wait(wait)
        return None

    def _attempt(self, session: requests.Session, sending: Sending) -> None:
        body, headers = sending.sign()
        url = self.url
        if url is None:
            return
        if self._faults.strikes("webhook_forged"):
            body = body[:-8] + b"AAAAAAAA"
        try:
            answer = session.post(
                sending.address(url),
                data=body,
                headers=dict(headers),
                timeout=self._timeout_seconds,
                allow_redirects=False,
            )
            status = answer.status_code
        except requests.RequestException:
            status = 0
        sending.attempts += 1
        sending.statuses.append(status)
        if self._accepts(status):
            sending.is_delivered = True
        elif sending.attempts <= len(self._retry_seconds):
            self._schedule(sending, self._retry_seconds[sending.attempts - 1])
        else:
            sending.is_given_up = True
        sending.heard(status)

    def pending(self) -> int:
        """Webhooks that wait or are under way."""
        with self._changed:
            return len(self._due) + self._under_way

    def flush(self, timeout_seconds: float) -> bool:
        """Make everything due now, and wait until nothing is on its way.

        Returns whether that was reached.
        """
        until = time.monotonic() + timeout_seconds
        while time.monotonic() < until:
            with self._changed:
                if not self._due and not self._under_way:
                    return True
                self._due = [(0.0, number, sending) for _, number, sending in self._due]
                heapq.heapify(self._due)
                self._changed.notify_all()
            time.sleep(0.02)
        return False

    def stop(self) -> None:
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)
