"""Addresses on this machine: whether one is free, and whether the gateway answers there."""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlsplit

from sync_worker.core.errors import Misconfigured

ASK_SECONDS = 2.0


def refuse_taken_port(bind: str, setting: str = "GATEWAY_BIND") -> None:
    """Raises Misconfigured if another program listens there: it would answer in our place.

    Other forms than host:port (a socket's path) are left to the gateway itself.
    """
    try:
        parts = urlsplit(f"//{bind}")
        host, port = parts.hostname or "0.0.0.0", parts.port  # noqa: S104 - as the gateway takes it
    except ValueError:
        return
    if not port:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        # As the gateway does: connections that end still are no listeners.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                f"{setting}: {bind} cannot be used ({error.strerror}): stop what listens there,"
                " or choose another port"
            ) from error


def ready_status(url: str, seconds: float = ASK_SECONDS) -> int | None:
    """The status of ``/readyz``; ``None`` without an answer. Its body is not read."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=seconds)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
