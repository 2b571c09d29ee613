"""The sockets of the door: bound once, by the parent, and shared by its processes."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Sequence
from urllib.parse import urlsplit

from sync_worker.core.errors import Misconfigured

DEFAULT_PORT = 8700
BACKLOG = 1024


def listen(bind: str) -> Sequence[socket.socket]:
    """Sockets for ``host:port``, ``[host]:port`` or ``unix:path``; several with commas between.

    Raises Misconfigured.
    """
    sockets = []
    for address in bind.split(","):
        try:
            sockets.append(_listen_at(address.strip()))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise Misconfigured(
                f"GATEWAY_BIND: {address.strip()} cannot be used ({why}): give host:port, or"
                " unix:/path/of/a/socket, where nothing else listens"
            ) from error
    return sockets


def _listen_at(address: str) -> socket.socket:
    """Raises OSError, ValueError."""
    if address.startswith("unix:"):
        return _listen_at_path(address.removeprefix("unix:").removeprefix("//"))
    parts = urlsplit(f"//{address}")
    host, port = parts.hostname or "0.0.0.0", parts.port  # noqa: S104 - as asked for: ``:8700``
    family, *_, where = socket.getaddrinfo(
        host, DEFAULT_PORT if port is None else port, type=socket.SOCK_STREAM
    )[0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _listen_at_path(path: str) -> socket.socket:
    """What a gateway that died has left there is replaced. Raises OSError."""
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(path)
    sock.listen(BACKLOG)
    return sock
