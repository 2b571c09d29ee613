"""Free ports of the loopback address, for servers of our own."""

from __future__ import annotations

import secrets
import socket

from sync_worker.core.errors import Misconfigured

# Below those of outgoing connections: on Linux from 32768, elsewhere from 49152.
PORTS = range(20_000, 32_000)
MAX_TRIES = 100


def free_port() -> int:
    """A port that is free now, and that no outgoing connection takes before we listen.

    One that the system chooses may be gone by then, or while its server starts again: even to a
    client that tries to reach that very server. Raises Misconfigured.
    """
    for port in secrets.SystemRandom().sample(PORTS, min(MAX_TRIES, len(PORTS))):
        if _is_free(port):
            return port
    raise Misconfigured(
        f"no port of 127.0.0.1 from {PORTS.start} to {PORTS.stop - 1} is free: stop what listens"
    )


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
