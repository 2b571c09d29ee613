"""Who may read the metrics, and how: as text, with the token, over HTTP."""

from __future__ import annotations

import hmac
import os
import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def exposition() -> bytes:
    """All metrics as text; of the gateway those of all its processes together."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client ships no type for it
    return generate_latest(registry)


def may_read(authorization: str | None, token: str) -> bool:
    """Whether a request's Authorization header carries the token; compared in constant time."""
    given = (authorization or "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(given, f"Bearer {token}".encode())


class _QuietRequest(WSGIRequestHandler):
    timeout = 5  # one who says nothing does not stay

    def log_message(self, format: str, *args: Any) -> None:
        return


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 16

    def server_bind(self) -> None:
        """Bind without a look-up of our own name, which takes long where no DNS answers."""
        TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()


def serve_metrics(bind: str, token: str) -> Callable[[], None]:
    """Serve ``GET /metrics`` of this process to those who have the token. Returns what stops it.

    Raises OSError.
    """

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        is_allowed = may_read(environ.get("HTTP_AUTHORIZATION"), token)
        if environ["PATH_INFO"] != "/metrics" or not is_allowed:
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"not found\n"]
        start("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [exposition()]

    host, _, port = bind.rpartition(":")
    server = make_server(host, int(port), answer, _Server, _QuietRequest)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop
