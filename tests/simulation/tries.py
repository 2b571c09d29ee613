"""The HTTP client's own tries in the simulator's world: what becomes of one call that is sent
several times, with whatever happens between two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from sync_worker.core.errors import (
    Away,
    Gone,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.core.values import Draft, Record
from sync_worker.remotes.http.retries import CallTries
from sync_worker.remotes.landed import update_met_by_itself
from tests.twins.memory_remote import MemoryRemote

T = TypeVar("T")
MAX_TRIES = 3
# They end a call; all else that is transient is tried again.
FINAL = (RateLimited, Away, Unconfirmed)
REFUSALS: tuple[Callable[[], SyncError], ...] = (
    lambda: Permanent("400: the remote refused the request", reason="refused"),
    lambda: Permanent("401: who is this?", reason="unauthorized"),
    lambda: Permanent("403: not you", reason="unauthorized"),
    lambda: Transient("404, but not in the remote's own words"),
    lambda: Transient("could not connect"),
)


class TryingRemote:
    """A remote behind the client's tries, by the rules of the real adapters.

    ``between``: what the world does between two tries. ``refuse``: which of the refusals, if any,
    a later try meets.
    """

    def __init__(
        self,
        remote: MemoryRemote,
        between: Callable[[], None],
        refuse: Callable[[], int | None],
    ) -> None:
        self._remote, self._between, self._refuse = remote, between, refuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._remote, name)

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        # A key makes a create safe to repeat; only a system with revisions is taken to know one.
        has_key = self._remote.capabilities.has_revision and self._remote.side == "external"
        return self._tried(lambda: self._remote.create(draft, idempotency_key), repeats=has_key)

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        repeats = self._remote.capabilities.update_precondition
        try:
            return self._tried(
                lambda: self._remote.update(remote_id, draft, revision), repeats=repeats
            )
        except UnknownOutcome as unknown:
            look = partial(self._remote.get, remote_id)
            return update_met_by_itself(unknown, look, draft, revision)

    def delete(self, remote_id: str, revision: int | None) -> None:
        try:
            self._tried(lambda: self._remote.delete(remote_id, revision), repeats=True)
        except UnknownOutcome as unknown:
            if not isinstance(unknown.later, Gone):
                raise

    def _tried(self, send: Callable[[], T], *, repeats: bool) -> T:
        together = CallTries()
        for number in range(1, MAX_TRIES + 1):
            if number > 1:
                self._between()
            try:
                refused = self._refuse() if number > 1 else None
                if refused is not None:
                    raise REFUSALS[refused]()
                return send()
            except SyncError as error:
                verdict = together.verdict(error)
                may_repeat = repeats or not isinstance(error, UnknownOutcome)
                is_over = not isinstance(error, Transient) or isinstance(error, FINAL)
                if is_over or not may_repeat or number == MAX_TRIES:
                    raise verdict from error
        raise AssertionError("the last try ends with an answer or an error")
