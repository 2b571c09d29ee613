"""Serves the console until it is told to end."""

from __future__ import annotations

import signal
import sys

from waitress.server import create_server

from sync_console.app import create_app
from sync_worker.wiring.console import console_parts

OVER_SECONDS = 30  # a browser that sends nothing


def main() -> int:
    """Serve CONSOLE_BIND; the status to end with. Raises Misconfigured."""
    parts = console_parts()
    _ = parts.public_url
    settings = parts.settings
    server = create_server(
        create_app(parts),
        listen=settings.console_bind,
        threads=settings.console_threads,
        ident="",
        channel_timeout=OVER_SECONDS,
        # They count for nothing but as addresses.py reads them, by CONSOLE_TRUSTED_PROXIES.
        clear_untrusted_proxy_headers=False,
    )
    signal.signal(signal.SIGTERM, lambda *_: _end())
    # A shell's background jobs ignore interrupts on purpose.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: _end())
    sys.stderr.write(f"console: {parts.public_url}\n")
    sys.stderr.flush()
    try:
        server.run()
    finally:
        server.close()
        parts.close()
    return 0


def _end() -> None:
    raise SystemExit(0)
