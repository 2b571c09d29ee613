"""The work of each site for itself: what fails on one is noted, and tried again ever later.

Also what nobody foresaw: it never stops another site's work.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog

from sync_worker.core.errors import SyncError, Transient
from sync_worker.telemetry import metrics

# What passes by itself is looked at sooner than what needs a person.
LONGEST_PAUSE_SECONDS = 3600.0
LONGEST_OUTAGE_PAUSE_SECONDS = 300.0
FAREWELL = "farewell"  # the word for taking our webhooks from a shop that leaves
OLD_SHOP = "old_shop"  # and from one that an account has left for another address
HOOKS = "hooks"  # the word for checks of webhooks; sweeps and polls have their kind
CHECK_SECONDS = 45.0  # of one round of checks; well below the broker's visibility time-out

log = structlog.get_logger(__name__)


class Fault(Protocol):
    """Work of one site that failed."""

    @property
    def work(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def again_in_seconds(self) -> float: ...


class KeptFaults(Protocol):
    """Where faults are kept, for all processes. Raises Transient."""

    def standing(self) -> Sequence[Fault]: ...
    def note(self, work: str, source: str, error: str, longest_seconds: float) -> int: ...
    def clear(self, work: str, source: str) -> None: ...


class SiteFaults:
    """What fails on which site, as it stood when this round of work began.

    ``source``: the external source of the site.
    """

    def __init__(self, kept: KeptFaults) -> None:
        self._kept = kept
        self._standing = {(one.work, one.source): one for one in kept.standing()}

    def is_paused(self, work: str, source: str) -> bool:
        """Whether it failed, and its pause is not over."""
        fault = self._standing.get((work, source))
        return fault is not None and fault.again_in_seconds > 0

    def failed(self, work: str, source: str, error: Exception) -> int:
        """Note a failure, log it and count it; how many there were in a row. Raises Transient."""
        metrics.site_work_failures.labels(work).inc()
        longest = LONGEST_PAUSE_SECONDS
        if isinstance(error, Transient):
            longest = LONGEST_OUTAGE_PAUSE_SECONDS
        failures = self._kept.note(work, source, failure_words(error), longest)
        facts = {"source": source, "error": type(error).__name__, "failures": failures}
        if isinstance(error, SyncError):
            log.warning(f"{work}_failed", facts=str(error.facts), **facts)
        else:
            log.error(f"{work}_failed", exc_info=error, **facts)
        return failures

    def succeeded(self, work: str, source: str) -> None:
        """It worked: what is noted of it is over. Raises Transient."""
        if (work, source) in self._standing:
            self._kept.clear(work, source)


def each_for_itself(
    faults: SiteFaults,
    work: str,
    sources: Sequence[str],
    check: Callable[[str], None],
    seconds: float = CHECK_SECONDS,
    threads: int = 1,
) -> None:
    """Check each source that is not paused, for so many seconds. Raises Transient.

    In the order given: where the time is too short for all, whoever was tried longest ago is first.
    ``threads``: so many of them at a time; the time is over for the next ones, not for these.
    """
    until = time.monotonic() + seconds
    waiting = deque(source for source in sources if not faults.is_paused(work, source))

    def check_some() -> None:
        while time.monotonic() <= until:
            try:
                source = waiting.popleft()
            except IndexError:
                return
            _check_one(faults, work, source, check)

    if threads == 1 or len(waiting) <= 1:
        check_some()
        return
    with ThreadPoolExecutor(min(threads, len(waiting))) as pool:
        for checked in [pool.submit(check_some) for _ in range(threads)]:
            checked.result()


def _check_one(faults: SiteFaults, work: str, source: str, check: Callable[[str], None]) -> None:
    try:
        check(source)
    except Exception as error:
        faults.failed(work, source, error)
    else:
        faults.succeeded(work, source)


def failure_words(error: Exception) -> str:
    """For people. What nobody foresaw is told by its name: its words may be a person's."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, SyncError) else name
