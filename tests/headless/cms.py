"""What the stand-ins share: documents in memory, over HTTP, and whoever hears of a change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from tests.integration.remote_server import Asked, RemoteServer, Reply, remote_server

Document = dict[str, Any]
Hear = Callable[[Document, dict[str, str]], None]


class Cms(Protocol):
    """A stand-in.

    ``hear``: gets each webhook, its body and its headers. ``may_read``: whether the token may.
    """

    name: str
    reviews: dict[str, Document]
    hear: Hear
    may_read: bool

    def __call__(self, asked: Asked, /) -> Reply: ...
    def settings(self, url: str) -> dict[str, str]: ...
    def rate(self, email: str, product: str, stars: int, text: str = "Nice") -> str: ...
    def change(self, review_id: str, **fields: Any) -> None: ...
    def remove(self, review_id: str) -> None: ...


class Clock:
    """Times as these systems write them; each one is a second later."""

    def __init__(self) -> None:
        self._now, self._turn = datetime(2026, 11, 30, 8, 0, tzinfo=UTC), threading.Lock()

    def tick(self) -> str:
        with self._turn:
            self._now += timedelta(seconds=1)
            return self._now.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def deaf(body: Document, headers: dict[str, str]) -> None:
    """Nobody hears."""


@contextmanager
def served(cms: Cms) -> Iterator[RemoteServer]:
    """The stand-in at an address of its own."""
    with remote_server() as server:
        server.answer = cms
        yield server
