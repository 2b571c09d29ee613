"""When a record of an external system counts as gone: when the system says so, never by a guess.

A rule that names the system's own word says it. A rule that names a status alone says it only at a
second look, while another record can be read: a 404 is also what a wrong address, an old proxy or a
plugin that is switched off answers.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import structlog

from sync_worker.core.errors import Gone, GoneUnsaid
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import ErrorRule, OperationSpec
from sync_worker.remotes.http.calls import Answer, Content

SECOND_LOOK_SECONDS = 60
# A first look that is older tells of another time.
FORGOTTEN_SECONDS = 900
MAX_KEPT = 1_000

log = structlog.get_logger(__name__)


def gone_said(rule: ErrorRule, answer: Answer, place: str) -> Gone | GoneUnsaid | None:
    """What a rule for gone makes of an answer that fits it; ``None``: it says nothing of that.

    ``place``: of the rule in its manifest.
    """
    # A refused permission says nothing of the record, whatever word comes with it.
    if answer.status in (401, 403):
        return None
    if not rule.is_bare_gone:
        return Gone()
    is_json = answer.content is Content.JSON and answer.body is not None
    if answer.status not in (404, 410) or not is_json:
        return None
    message = (
        f"{answer.status} alone does not say that the record is gone: name the system's own word at"
        f" {place} (path, equals)"
    )
    return GoneUnsaid(message, retry_after=SECOND_LOOK_SECONDS)


def says_gone_by_status(manifest: Manifest) -> bool:
    """Whether a read by id may be answered with a status that alone calls the record gone."""
    spec = manifest.operations.get
    return isinstance(spec, OperationSpec) and any(rule.is_bare_gone for rule in spec.errors)


class FirstLooks(Protocol):
    """First looks at records that a status alone calls gone, shared by all workers."""

    def is_second(self, remote_id: str, wait_seconds: int, forgotten_seconds: int) -> bool | None:
        """Whether the first look is old enough, and not too old; notes this one if there is none.

        ``None``: the shared memory is away.
        """

    def forget(self, remote_id: str) -> None:
        """The record could be read."""


class SecondLooks:
    """What was seen of records that a status alone calls gone. Shared by a process's threads.

    ``shared``: the fleet's memory; without it each process looks twice. ``clock``: seconds.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, shared: FirstLooks | None = None
    ) -> None:
        self._clock, self._shared = clock, shared
        self._first: OrderedDict[str, float] = OrderedDict()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._turn = threading.Lock()

    def is_second(self, remote_id: str) -> bool:
        """Whether a look at least a minute ago was answered the same. Notes this one."""
        is_second = self._is_second_here(remote_id)
        if self._shared is None:
            return is_second
        told = self._shared.is_second(remote_id, SECOND_LOOK_SECONDS, FORGOTTEN_SECONDS)
        if told is None:
            return is_second
        return told

    def _is_second_here(self, remote_id: str) -> bool:
        now = self._clock()
        with self._turn:
            since = now - self._first.get(remote_id, now - FORGOTTEN_SECONDS)
            if since >= FORGOTTEN_SECONDS:
                self._first[remote_id] = now
                _shorten(self._first)
            return SECOND_LOOK_SECONDS <= since < FORGOTTEN_SECONDS

    def note_seen(self, remote_id: str) -> None:
        """This record could be read just now."""
        with self._turn:
            self._first.pop(remote_id, None)
            self._seen[remote_id] = None
            self._seen.move_to_end(remote_id)
            _shorten(self._seen)
        # Another worker may have looked first.
        if self._shared is not None:
            self._shared.forget(remote_id)

    def note_gone(self, remote_id: str) -> None:
        """It counts as gone now. The shared look ends by itself."""
        with self._turn:
            self._first.pop(remote_id, None)
            self._seen.pop(remote_id, None)

    def seen_besides(self, remote_id: str) -> list[str]:
        """Other records that could be read lately, the last one first."""
        with self._turn:
            return [seen for seen in reversed(self._seen) if seen != remote_id][:2]


def _shorten(kept: OrderedDict[str, float] | OrderedDict[str, None]) -> None:
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)
