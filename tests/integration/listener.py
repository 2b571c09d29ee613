"""Somebody who gets webhooks."""

from __future__ import annotations

import threading
import time

from flask import Flask, Response, request

from sync_sandbox.served import Served


class Listener:
    """Takes webhooks, and answers with ``status``."""

    def __init__(self) -> None:
        self.status, self.got, self._lock = (
            200,
            list[tuple[dict[str, str], dict[str, str], bytes]](),
            threading.Lock(),
        )
        app = Flask("listener")

        @app.post("/hook")
        def hear() -> Response:
            with self._lock:
                self.got.append((dict(request.headers), request.args.to_dict(), request.get_data()))
            return Response(status=self.status)

        self.served = Served(app, 0)
        self.url = f"{self.served.url}/hook"

    def wait(self, count: int) -> list[tuple[dict[str, str], dict[str, str], bytes]]:
        until = time.monotonic() + 10
        while len(self.got) < count and time.monotonic() < until:
            time.sleep(0.02)
        assert len(self.got) >= count, self.got
        return self.got
