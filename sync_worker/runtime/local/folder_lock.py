"""One installation at a time in a state folder: two would share one Redis file and one SQLite."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sync_worker.core.errors import Misconfigured
from sync_worker.runtime.waiting import wait_until

LOCK_FILE = "up.lock"
# Longer than the guardian of a killed installation needs to end its processes.
LEFTOVERS_SECONDS = 45.0


class FolderLock:
    """The lock of a folder, held until ``release`` or the end of all processes that hold ``fd``.

    The system lets go of it with its holder, however that ends: none is ever stale.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self.fd = -1

    def take(self) -> None:
        """Raises Misconfigured with who has it."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.fd = os.open(self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
            if not self._is_ours():
                self._wait_for_leftovers()
        except OSError as error:
            self.release()
            raise Misconfigured(
                f"RATINGS_SYNC_HOME: {self._folder} cannot be used ({error.strerror}): `up` has to"
                " write and lock a file there"
            ) from error
        except BaseException:
            self.release()
            raise
        os.ftruncate(self.fd, 0)
        # A full disk takes the name, not the lock.
        with suppress(OSError):
            os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _is_ours(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _wait_for_leftovers(self) -> None:
        """Whoever has it may be gone; then its guardian ends its processes, and lets go."""
        pid = self._holder()
        if pid is None or _lives(pid):
            raise Misconfigured(
                f"{self._folder} is in use: `ratings-sync up` runs there (pid {pid or 'unknown'});"
                " stop it, or set RATINGS_SYNC_HOME to another folder"
            )
        self._say(f"waiting for the processes of an earlier `up` (pid {pid}, gone) to end")
        if not wait_until(self._is_ours, LEFTOVERS_SECONDS):
            raise Misconfigured(
                f"{self._folder} is in use by processes of an earlier `up` (pid {pid}, gone): stop"
                " them, or set RATINGS_SYNC_HOME to another folder"
            )

    def _holder(self) -> int | None:
        try:
            return int(os.pread(self.fd, 32, 0))
        except ValueError:
            return None  # it has not written its number yet


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True
