"""The HTTP server of one gateway process: waitress, with the limits of a door to the world.

A request takes a thread only when it has arrived whole, so slow clients cost a file each and no
thread. What waitress leaves open is closed here: a request has one deadline as a whole, a body of
two lengths is refused, and one that is too large is counted by the door and closes its connection.
tests/integration/test_library_contracts.py fails when waitress changes below this.
"""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer, create_server
from waitress.utilities import RequestEntityTooLarge

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

BACKLOG = 1024
MAX_CONNECTIONS = 1000
# Headers of webhooks are few and small; what is larger is refused before it costs memory.
MAX_HEAD_BYTES = 16_384
MAX_HEADERS = 64
# So much larger than the limit a body is still read, so that its sender hears why it is refused
# and its connection lives on.
TOO_LARGE_TIMES = 2
TURN_SECONDS = 1.0
LINGER_BYTES = 1_048_576
STUCK_SECONDS = 15.0  # no thread has taken the next request for so long: they hang
DRAIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Limits:
    """``read_seconds``: for one request, from its first byte to its last."""

    threads: int
    max_body_bytes: int
    read_seconds: float


class DoorRequest(HTTPRequestParser):  # type: ignore[misc]  # waitress ships no types
    """A request as it arrives."""

    error: Any  # what is wrong with it, as waitress says

    def parse_header(self, header_plus: bytes) -> None:
        """Refuse, with all that follows, what two readers may understand in two ways."""
        if header_plus.count(b"\r\n") > MAX_HEADERS + 1:
            raise ParsingError("too many headers")
        super().parse_header(header_plus)
        # https://www.rfc-editor.org/rfc/rfc9112#section-6.1
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length beside Transfer-Encoding")

    def received(self, data: bytes) -> int:
        """Take the next bytes; how many of them belong to this request."""
        consumed: int = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            # The door answers, and counts whose it was. Where the next request begins is not known.
            self.error, self.expect_continue = None, False
            length = max(self.content_length, self.body_bytes_received)
            self.headers |= {"CONTENT_LENGTH": str(length), "CONNECTION": "close"}
        if self.error is not None:
            # waitress refuses as HTTP/1.0 what it could not read as far as its version.
            self.version = "1.1"
        return consumed


class DoorChannel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """A client's connection. waitress closes it when it was idle for the time of one request."""

    parser_class = DoorRequest
    last_activity: float
    request_began = 0.0

    def received(self, data: bytes) -> bool:
        """While a request arrives, the time runs from its first byte, not from the last."""
        if self.request is None:
            self.request_began = self.last_activity
        result: bool = super().received(data)
        self.last_activity = self.request_began
        return result

    def handle_close(self) -> None:
        """Read what is still there before the end: else the client's system drops our answer."""
        if self.will_close and self.connected:
            self._read_the_rest()
        super().handle_close()

    def _read_the_rest(self) -> None:
        left = LINGER_BYTES
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while left > 0 and (rest := self.socket.recv(65_536)):
                left -= len(rest)
        except OSError:
            return  # nothing more is there, or the client has gone


class Server:
    """Serves an application on sockets that listen, until ``stop``."""

    def __init__(
        self, app: WSGIApplication, sockets: Sequence[socket.socket], limits: Limits
    ) -> None:
        self._map: dict[int, Any] = {}
        self._is_stopping = False
        self._head_of_queue: object = None
        self._head_since = time.monotonic()
        # Its lines would be a stranger's to write.
        logging.getLogger("waitress").setLevel(logging.ERROR)
        server = create_server(
            app,
            map=self._map,
            sockets=list(sockets),
            threads=limits.threads,
            backlog=BACKLOG,
            connection_limit=MAX_CONNECTIONS,
            cleanup_interval=1,
            max_request_header_size=MAX_HEAD_BYTES,
            max_request_body_size=limits.max_body_bytes * TOO_LARGE_TIMES,
            inbuf_overflow=limits.max_body_bytes * TOO_LARGE_TIMES,
            asyncore_use_poll=True,
            log_socket_errors=False,
            # Nothing is decided by X-Forwarded headers, so none is believed.
            clear_untrusted_proxy_headers=False,
            ident=None,
        )
        server.adj.channel_timeout = limits.read_seconds
        self._dispatcher = server.task_dispatcher
        self._listeners = [one for one in self._map.values() if isinstance(one, BaseWSGIServer)]
        for listener in self._listeners:
            listener.channel_class = DoorChannel

    def run(self, beat: Callable[[], None]) -> None:
        """Serve; ``beat`` is called every second as long as requests get on."""
        while not self._is_stopping:
            self._turn()
            if self._gets_on():
                beat()
        self._drain()

    def stop(self) -> None:
        """Take no new connections, answer what has begun, and let ``run`` end."""
        self._is_stopping = True
        with suppress(OSError):  # the loop has seen it, and has ended already
            self._listeners[0].pull_trigger()

    def _turn(self) -> None:
        poll = wasyncore.poll2 if hasattr(select, "poll") else wasyncore.poll
        poll(TURN_SECONDS, self._map)

    def _gets_on(self) -> bool:
        """Whether a thread takes the next request within a time in which all should have ended."""
        now = time.monotonic()
        head = next(iter(list(self._dispatcher.queue)), None)
        if head is None or head is not self._head_of_queue:
            self._head_of_queue, self._head_since = head, now
        return now - self._head_since < STUCK_SECONDS

    def _drain(self) -> None:
        for listener in self._listeners:
            listener.accepting = False
            listener.socket.close()
            listener.del_channel()
        until = time.monotonic() + DRAIN_SECONDS
        while self._channels() and time.monotonic() < until:
            for channel in self._channels():
                channel.will_close = channel.will_close or not _is_at_work(channel)
            self._turn()
        self._dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map)

    def _channels(self) -> list[DoorChannel]:
        return [one for one in self._map.values() if isinstance(one, DoorChannel)]


def _is_at_work(channel: DoorChannel) -> bool:
    """Whether a request of it is on its way: in, in hand, or out."""
    return bool(channel.requests or channel.request is not None or channel.total_outbufs_len)
