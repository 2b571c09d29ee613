"""Whether our credentials may write, asked by a request that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.core.errors import SyncError, Unauthorized
from sync_worker.doctor.live.system import LiveSystem
from sync_worker.manifest.check import Finding
from sync_worker.remotes.external.calls import Options

RIGHT = "live: the right to write"
PLACE = "operations.may_write"


def check_right(system: LiveSystem) -> Iterator[Finding]:
    """A key that may only read is seen here, and not by the first rating that has to cross."""
    spec = system.manifest.operations.may_write
    if spec is None:
        return
    try:
        system.calls.send(spec, "may_write", system.calls.context(), Options())
    except Unauthorized as error:
        said = error.facts.answer or error.message
        words = f"our credentials may read, but not write: {said}; give them that right there"
        yield Finding(RIGHT, words, place="auth")
    except SyncError as error:
        yield Finding(RIGHT, advice=f"it could not be told: {error}", place=PLACE)
    else:
        yield Finding(f"{RIGHT}: our credentials have it")
