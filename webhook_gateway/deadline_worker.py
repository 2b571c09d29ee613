"""gunicorn's threads, safe from slow clients.

Silence costs no thread, and a request has one deadline as a whole.

gunicorn's own worker lends a thread to each new connection for up to 5 s of silence, and for ever
to a client that sends a byte now and then: as many such clients as there are threads close the
door. Beside four silent clients for each thread a webhook is answered in 0.1 s, and beside one
unfinished request for each thread after the deadline; with gunicorn's own worker it is not answered
within 12 s. It takes no more processor time for a webhook than gunicorn's own: 11 % less in the
median of seven rounds (``python -m benchmarks probation`` shows both).

Made for gunicorn 27.0.1, of whose ``gthread`` it uses the inside: each series changes it
(https://github.com/benoitc/gunicorn/pull/3519 brought the 5 s).
tests/integration/test_library_contracts.py fails when that changes.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from gunicorn.workers import gthread

if TYPE_CHECKING:
    from typing_extensions import Buffer


READ_SECONDS = 5.0


class DeadlineSocket(socket.socket):
    """A client's connection: a request that is not there in time ends like one hung up on."""

    seconds = READ_SECONDS
    ends_at: float | None = None

    def start(self, seconds: float) -> None:
        """Begin a new request; its time runs from the first look for a byte."""
        self.seconds, self.ends_at = seconds, None

    def _has_time(self) -> bool:
        now = time.monotonic()
        if self.ends_at is None:
            self.ends_at = now + self.seconds
        if self.ends_at <= now:
            return False
        self.settimeout(self.ends_at - now)
        return True

    def recv(self, size: int, flags: int = 0) -> bytes:
        try:
            return super().recv(size, flags) if self._has_time() else b""
        except TimeoutError:
            return b""

    def sendall(self, data: Buffer, flags: int = 0) -> None:
        # Nor does a client that does not read its answer hold a thread.
        self.settimeout(self.seconds)
        super().sendall(data, flags)


class DeadlineWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Threads for requests that have begun to arrive; all other connections wait in the poller.

    ``read_seconds``: the time for one request; ``serving`` sets it before the worker runs.
    """

    read_seconds = READ_SECONDS

    def enqueue_req(self, conn: Any) -> None:
        if not isinstance(conn.sock, DeadlineSocket):
            plain = conn.sock
            conn.sock = DeadlineSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
        if conn.initialized or conn.data_ready or not self.alive:
            super().enqueue_req(conn)
        else:
            self.finish_request(conn, _deferred())

    def handle(self, conn: Any) -> Any:
        conn.sock.start(self.read_seconds)
        return super().handle(conn)


def _deferred() -> Future[object]:
    """What gunicorn's own threads answer after 5 s of silence, at once."""
    future: Future[object] = Future()
    future.set_result(gthread._DEFER)
    return future
