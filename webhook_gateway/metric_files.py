"""The metrics of several gateway processes, added up: files of prometheus_client in one folder.

Files belong to a place, not to a process: a replaced process counts on where its predecessor ended.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def begin_anew(home: Path) -> None:
    """In the parent, before anything imports prometheus_client, which looks at the folder then."""
    folder = home / "gateway-metrics"
    # The metrics of the last time are another process's.
    shutil.rmtree(folder, ignore_errors=True)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def count_at(place: int) -> None:
    """In a process: from now on it counts in the files of this place."""
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]  # it ships no type
