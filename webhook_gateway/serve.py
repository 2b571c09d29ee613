"""Serves the door: as many processes of it as the settings say."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from sync_worker.config import Settings, load_settings
from sync_worker.core.errors import LedgerAway, Misconfigured
from webhook_gateway import metric_files
from webhook_gateway.processes import FAILED_TO_START, Beat, Processes
from webhook_gateway.sockets import listen

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LEDGER_PAUSE_SECONDS = 1.0  # between two looks of a process whose ledger is away


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

    def serve(place: int, beat: Beat, has_served: bool) -> None:
        metric_files.count_at(place)
        # Not in the parent, which is to stay small.
        from webhook_gateway.server import Limits, Server

        limits = Limits(
            threads=settings.gateway_pool[1],
            max_body_bytes=settings.gateway_max_body_bytes,
            read_seconds=settings.gateway_read_seconds,
        )
        try:
            app = _made_in_the_end(make_app, beat) if has_served else make_app()
            server = Server(app, sockets, limits)
        except Misconfigured as error:
            _say(str(error))
            raise SystemExit(FAILED_TO_START) from None
        signal.signal(signal.SIGTERM, lambda number, frame: server.stop())
        server.run(beat)
        from webhook_gateway.settings import end_signs

        end_signs()

    return Processes(serve, settings.gateway_pool[0], _say).run()


def _made_in_the_end(make_app: Callable[[], WSGIApplication], beat: Beat) -> WSGIApplication:
    """What is made once the ledger is there. Raises Misconfigured for all else that is missing.

    To end, and be started again every second, would cost a busy machine what a start costs.
    """
    from sync_worker.runtime.waiting import wait_for

    said: list[str] = []

    def try_to_make() -> WSGIApplication | None:
        try:
            return make_app()
        except LedgerAway as error:
            if not said:
                said.append(error.message)
                _say(f"process {os.getpid()} waits for its ledger: {error.message}")
            beat(serves=False)
            return None

    made = wait_for(try_to_make, math.inf, pause_seconds=LEDGER_PAUSE_SECONDS)
    assert made is not None  # noqa: S101 - it waits for ever
    return made


def _gateway() -> WSGIApplication:
    from webhook_gateway.app import create_app

    return create_app()


def _say(line: str) -> None:
    sys.stderr.write(f"gateway: {line}\n")
    sys.stderr.flush()
