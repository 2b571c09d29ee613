"""A small external system over real HTTP: tests say what it answers and look at what it was
asked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """``body`` goes out as JSON, ``raw`` as it is; ``hangs_up``: no answer, and the line closes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hangs_up: bool = False


@dataclass
class RemoteServer:
    """``answer`` decides; everything asked is in ``asked``.

    ``most_at_once``: requests under way together. ``go_away``: nobody listens here any more.
    """

    url: str = ""
    answer: Callable[[Asked], Reply] = lambda asked: Reply(404)
    asked: list[Asked] = field(default_factory=list)
    most_at_once: int = 0
    now: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    go_away: Callable[[], None] = lambda: None

    def under_way(self, change: int) -> None:
        with self.lock:
            self.now += change
            self.most_at_once = max(self.most_at_once, self.now)


def always(reply: Reply) -> Callable[[Asked], Reply]:
    """An ``answer`` to whatever is asked."""
    return lambda asked: reply


class _Answering(BaseHTTPRequestHandler):
    remote: RemoteServer  # of a subclass

    protocol_version = "HTTP/1.1"
    # Else each answer but the first waits 40 ms for an acknowledgement of its head.
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        asked = self._asked()
        self.remote.asked.append(asked)
        self.remote.under_way(1)
        try:
            reply = self.remote.answer(asked)
        finally:
            self.remote.under_way(-1)
        if reply.hangs_up:
            self.close_connection = True
        else:
            self._send(reply)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the names that http.server calls

    def _asked(self) -> Asked:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)

    def _send(self, reply: Reply) -> None:
        content = reply.raw or b""
        if reply.body is not None:
            content = json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@contextmanager
def remote_server() -> Iterator[RemoteServer]:
    remote = RemoteServer()
    answering = type("Answering", (_Answering,), {"remote": remote})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    remote.url = f"http://127.0.0.1:{server.server_port}"

    def go_away() -> None:
        server.shutdown()
        server.server_close()

    remote.go_away = go_away
    try:
        yield remote
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
