"""How one remote is called, and who is told of the calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_worker.remotes.http.authorization import Signer
from sync_worker.remotes.http.waits import Waits

DEADLINE_SECONDS = 8.0
MAX_BODY_BYTES = 2 * 1024 * 1024


def _no_code(body: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What is true of every call to a remote."""

    allowed_hosts: frozenset[str] = frozenset()
    """Hosts that calls may go to besides that of the base URL."""
    allow_private_hosts: bool = False
    """Whether the remote may be inside our own network."""
    headers: Mapping[str, str] = field(default_factory=dict)
    sign: Signer | None = None
    """Finishes a request that is ready to be sent."""
    code_of: Callable[[Any], str] = _no_code
    """Reads the remote's own error code out of a body, for logs and decisions."""
    waits: Waits = field(default_factory=Waits)
    deadline_seconds: float = DEADLINE_SECONDS
    """Of one call with its retries."""
    max_body_bytes: int = MAX_BODY_BYTES
    pool_size: int = 32
    """Connections that are kept open."""
    concurrency: int | None = None
    """Calls of this process under way at the same time; ``None``: as many as connections."""

    @property
    def lanes(self) -> int:
        return self.concurrency or self.pool_size


@dataclass(frozen=True, slots=True)
class Observers:
    """Who is told of calls, for metrics."""

    call: Callable[[str, str, int | str, float], None] = lambda *_: None
    """Each call: remote, operation, status or name of the error, seconds."""
    wait: Callable[[str, float], None] = lambda *_: None
    """Each wait that a remote asks for: remote, seconds."""
