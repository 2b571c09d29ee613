"""A remote that many threads share, of whose calls only a few may be under way at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sync_worker.core.ports.remote import Remote

T = TypeVar("T")


class FewAtOnce:
    """Another remote of the same threads: so many of its calls at a time.

    Whoever has reserved a request keeps its place until its next call has ended.
    """

    def __init__(self, remote: Remote, at_once: int) -> None:
        self._remote = remote
        self._places, self._mine = threading.Semaphore(at_once), threading.local()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._remote, name)
        return self._in_turn(found) if callable(found) else found

    def reserve_request(self) -> None:
        self._places.acquire()
        self._mine.has_place = True
        try:
            self._remote.reserve_request()
        except BaseException:
            self.leave()
            raise

    def _in_turn(self, call: Callable[..., T]) -> Callable[..., T]:
        @wraps(call)
        def called(*arguments: Any, **named: Any) -> T:
            if not getattr(self._mine, "has_place", False):
                self._places.acquire()
                self._mine.has_place = True
            try:
                return call(*arguments, **named)
            finally:
                self.leave()

        return called

    def leave(self) -> None:
        """Give the place back, if this thread has one."""
        if getattr(self._mine, "has_place", False):
            self._mine.has_place = False
            self._places.release()
