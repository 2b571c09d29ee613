"""An app on a loopback port, with connections that stay open between calls, as those of a real
remote do.

Werkzeug's own server closes each connection after its answer, and reads away whatever would follow:
a client's reuse of connections, and the call that meets one just closed, would never be seen.
"""

from __future__ import annotations

import io
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

REST_SECONDS = 30.0  # a connection that has had no call for so long is closed
BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class _Rule(Rule):
    """Werkzeug compiles two functions for each rule that build its URL: half of a stand-in's start.

    Nobody asks a stand-in for a URL.
    """

    def _compile_builder(self, *_: object) -> Any:
        return _builds_no_url


def _builds_no_url(*_: object) -> tuple[str, str]:
    raise NotImplementedError("a stand-in builds no URLs")


class StandIn(Flask):
    """The app of a stand-in."""

    url_rule_class = _Rule

    def __init__(self) -> None:
        super().__init__("sync_sandbox")


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = REST_SECONDS
    # One segment for an answer: without this the client's delayed ACK costs 40 ms a call.
    wbufsize = -1
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """One call: all of its body is read, so that the next call begins where this one ends."""
        self.environ = environ = self.make_environ()
        if environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read()
        else:
            body = self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        chunks, status, headers = run_wsgi_app(self.server.app, environ)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        if "Content-Length" not in headers and int(code) not in BODILESS:
            headers["Connection"] = "close"  # the answer ends where the connection does
            self.close_connection = True
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(chunk)
            if self.close_connection:
                self.wfile.flush()

    def log_request(self, *args: Any) -> None:
        return

    def log_error(self, text: str, *args: Any) -> None:
        """Say what went wrong; a connection that has rested long enough is not wrong."""
        if not any(isinstance(arg, TimeoutError) for arg in args):
            super().log_error(text, *args)

    def finish(self) -> None:
        with suppress(OSError):  # the other side has hung up, or a fault made us
            super().finish()


class _Server(ThreadedWSGIServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open: set[socket.socket] = set()
        self._turn = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._turn:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._turn:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """On everybody who is connected."""
        with self._turn:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


class Served:
    """One app on one port, 0: any free one."""

    def __init__(self, app: WSGIApplication, port: int) -> None:
        self._server = _Server("127.0.0.1", port, app, _Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Whoever calls from now on is refused, also on a connection that was open."""
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()
        self._server.hang_up()
