"""Counts webhooks that were refused, by sender and source, in bounded memory.

A sender beyond the limit is no longer logged line by line; the answer stays the same. What verifies
is never refused: behind a proxy all senders share one address, and a forger must not be able to
shut the others out. For the same reason each source is counted by itself: whoever forges one
account's webhooks must not take the lines of another's.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MINUTE_SECONDS = 60.0
MAX_SENDERS = 10_000  # about 2 MB; beyond it the sender that was quiet longest is forgotten


class RejectionLimit:
    """How many refused webhooks each sender has sent to a source within a minute.

    Shared by threads. A sender's minute begins with the first of them.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute, self._clock = per_minute, clock
        self._senders: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()
        self._turn = threading.Lock()

    def count(self, address: str | None, source: str = "") -> int:
        """Count one more; its number in the current minute, from 1."""
        sender, now = (source, sender_of(address)), self._clock()
        with self._turn:
            since, number = self._senders.pop(sender, (now, 0))
            if now - since >= MINUTE_SECONDS:
                since, number = now, 0
            self._senders[sender] = (since, number + 1)
            while len(self._senders) > MAX_SENDERS:
                self._senders.popitem(last=False)
            return number + 1

    def __len__(self) -> int:
        return len(self._senders)


def sender_of(address: str | None) -> str:
    """The address; of IPv6 the network of 64 bits that one customer of a provider gets."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if ip.version == 4:
        return str(ip)
    return str(ipaddress.ip_network((ip, 64), strict=False))
