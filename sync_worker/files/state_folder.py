"""The state folder and the ledger's file: for their owner alone.

They hold e-mail addresses, what webhooks carried, and the password of the embedded Redis.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from sync_worker.core.errors import Misconfigured

NAME = ".ratings-sync"
LEDGER_FILE = "ledger.db"  # without DATABASE_URL
# What tells that a folder of another name is the program's own, and not one that others use, too.
SIGNS = (LEDGER_FILE, "up.lock", "redis", "beat-schedule")
SIDE_FILES = ("", "-wal", "-shm", "-journal")
FOLDER_MODE, FILE_MODE = 0o700, 0o600


def make_private_folder(home: Path) -> None:
    """Make the state folder; one that earlier versions made is closed to others.

    Raises Misconfigured.
    """
    try:
        home.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"RATINGS_SYNC_HOME: {home.absolute()} cannot be made ({error.strerror}): set it to a"
            " folder that this user may write"
        ) from None
    if _is_ours_alone(home):
        _close(home, FOLDER_MODE)


def make_private_file(file: Path) -> None:
    """Make a SQLite file before SQLite does: the files beside it take its mode.

    One that is there is never opened: to close it again would end every lock that this process has
    on it, and another process would then take its log away
    (https://sqlite.org/howtocorrupt.html, "file locking problems").
    """
    # What cannot be made here is told where the database is opened.
    with suppress(OSError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE))
    for suffix in SIDE_FILES:
        _close(file.with_name(file.name + suffix), FILE_MODE)


def _is_ours_alone(home: Path) -> bool:
    """Not a folder where other things lie, too, such as the project's or the user's own."""
    if home.resolve() in (Path.cwd(), Path.home(), Path("/")):
        return False
    return home.resolve().name == NAME or any((home / sign).exists() for sign in SIGNS)


def _close(path: Path, mode: int) -> None:
    """Take all rights away that others have. What belongs to somebody else is left to them."""
    with suppress(OSError):
        found = path.stat()
        is_shared = bool(found.st_mode & stat.S_ISVTX)
        if found.st_mode & 0o077 and found.st_uid == os.geteuid() and not is_shared:
            path.chmod(stat.S_IMODE(found.st_mode) & mode)
