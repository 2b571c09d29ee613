"""Serves the door: as many processes of it as the settings say."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from sync_worker.config import Settings, load_settings
from sync_worker.core.errors import Misconfigured
from webhook_gateway import metric_files
from webhook_gateway.processes import FAILED_TO_START, Beat, Processes
from webhook_gateway.sockets import listen

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def main() -> int:
    """Serve until SIGTERM; the status to end with."""
    return run(_gateway)


def run(make_app: Callable[[], WSGIApplication]) -> int:
    """Serve what ``make_app`` makes in each process, with the gateway's settings."""
    try:
        settings = load_settings()
        return _run(make_app, settings)
    except Misconfigured as error:
        _say(str(error))
        return FAILED_TO_START


def _run(make_app: Callable[[], WSGIApplication], settings: Settings) -> int:
    """Raises Misconfigured."""
    sockets = listen(settings.gateway_bind)
    metric_files.begin_anew(settings.ratings_sync_home)

    def serve(place: int, beat: Beat) -> None:
        metric_files.count_at(place)
        # Not in the parent, which is to stay small.
        from webhook_gateway.server import Limits, Server

        limits = Limits(
            threads=settings.gateway_pool[1],
            max_body_bytes=settings.gateway_max_body_bytes,
            read_seconds=settings.gateway_read_seconds,
        )
        try:
            server = Server(make_app(), sockets, limits)
        except Misconfigured as error:
            _say(str(error))
            raise SystemExit(FAILED_TO_START) from None
        signal.signal(signal.SIGTERM, lambda number, frame: server.stop())
        server.run(beat)
        from webhook_gateway.settings import end_signs

        end_signs()

    return Processes(serve, settings.gateway_pool[0], _say).run()


def _gateway() -> WSGIApplication:
    from webhook_gateway.app import create_app

    return create_app()


def _say(line: str) -> None:
    sys.stderr.write(f"gateway: {line}\n")
    sys.stderr.flush()
