"""Loads of webhooks: clients that keep their connections, and give up when Wix would.

The clients write prepared bytes to plain sockets: what they take of the machine's cores is taken
from the server.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 1.25  # Wix gives up then


@dataclass
class Load:
    """What came of it. ``times``: seconds of each answer, sorted."""

    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(self.statuses.values())

    @property
    def each_second(self) -> float:
        """Answers with 200."""
        return self.statuses["200"] / self.seconds

    @property
    def answered(self) -> float:
        """Share of 200s."""
        return self.statuses["200"] / max(1, self.count)

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of the requests was answered."""
        return (
            self.times[min(len(self.times) - 1, int(len(self.times) * share))] * 1000
            if self.times
            else float("nan")
        )


class Client:
    """One connection to a server, opened again after an error."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(url)
        self._timeout_seconds = timeout_seconds
        self._address = parts.hostname or "", parts.port or 80
        self._head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: bench\r\nContent-Type:"
            " text/plain\r\nContent-Length: "
        )
        self._sock: socket.socket | None = None

    def post(self, body: bytes) -> str:
        """The status of the answer, or the name of the error."""
        try:
            if self._sock is None:
                self._sock = socket.create_connection(self._address, self._timeout_seconds)
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sock.sendall(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
            return self._status(self._sock)
        except (OSError, ValueError) as error:
            self.close()
            return type(error).__name__

    def _status(self, sock: socket.socket) -> str:
        """Raises OSError, ValueError."""
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += _some_of(sock)
        head = answer[:end].lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(answer) < end + 4 + length:
            answer += _some_of(sock)
        if b"connection: close" in head:
            self.close()
        return head[9:12].decode()

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None


def _some_of(sock: socket.socket) -> bytes:
    if not (part := sock.recv(65536)):
        raise ConnectionError("the server has hung up")
    return part


def post_all(url: str, bodies: Sequence[bytes], clients: int, most_seconds: float = 60.0) -> Load:
    """Post each body once; each of ``clients`` waits for its answer before it posts again.

    Ends in time.
    """
    until = time.monotonic() + most_seconds
    moments = ((time.monotonic(), body) for body in bodies if time.monotonic() < until)
    return _post(url, moments, clients)


def post_steadily(
    url: str, bodies: Sequence[bytes], each_second: float, clients: int, seed: int = 1
) -> Load:
    """Post at this rate whatever the server does, spaced by chance as independent senders are.

    An answer's time runs from the moment the request was due: a server that stalls makes all that
    were due wait.
    """
    chance, start = random.Random(seed), time.monotonic() + 0.1

    def moments() -> Iterator[tuple[float, bytes]]:
        due = start
        for body in bodies:
            due += chance.expovariate(each_second)
            yield due, body

    return _post(url, moments(), clients)


def _post(url: str, moments: Iterator[tuple[float, bytes]], clients: int) -> Load:
    """Each body at its moment, or as soon after it as a client is free."""
    load, turn = Load(), threading.Lock()

    def run() -> None:
        client = Client(url)
        while True:
            with turn:
                due, body = next(moments, (0.0, None))
            if body is None:
                break
            if (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            status = client.post(body)
            seconds = time.monotonic() - due
            with turn:
                load.statuses[status] += 1
                load.times.append(seconds)
        client.close()

    threads = [threading.Thread(target=run) for _ in range(clients)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.monotonic() - started
    load.times.sort()
    return load
