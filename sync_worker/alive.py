"""Signs of life for health checks: a working process touches a file, a check reads its age.

``python -m sync_worker.alive worker`` ends with status 0 if that part showed a sign within the last
minute. It imports nothing of the application: it runs every few seconds in each container.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

SIGN_SECONDS = 60.0
PARTS = ("worker", "scheduler")


def sign_file(home: Path, part: str) -> Path:
    return home / f"alive-{part}"


def show_sign(home: Path, part: str) -> None:
    """Touch the file of a part. A full or read-only disk must not stop the work that goes on."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        sign_file(home, part).touch()
    except OSError:
        return


def is_alive(home: Path, part: str, seconds: float = SIGN_SECONDS) -> bool:
    try:
        return time.time() - sign_file(home, part).stat().st_mtime < seconds
    except OSError:
        return False


def main() -> int:
    """The check as a command."""
    if len(sys.argv) != 2 or sys.argv[1] not in PARTS:
        sys.stderr.write(f"usage: python -m sync_worker.alive {'|'.join(PARTS)}\n")
        return 2
    home = Path(os.environ.get("RATINGS_SYNC_HOME") or ".ratings-sync")
    return 0 if is_alive(home, sys.argv[1]) else 1


if __name__ == "__main__":
    sys.exit(main())
