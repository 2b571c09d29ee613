"""``python -m tests.hops``: a worker's way from its task to the remote, counted call by call.

Reads inbox ids from standard input and works on each as the task does; answers with a line of JSON.
"""

from __future__ import annotations

import dis
import json
import logging
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import requests
import structlog

from sync_worker import tasks

ROOT = str(Path(tasks.__file__).parent)
TASK = tasks.sync_delivery.run.__code__
REMOTE = {requests.Session.send.__code__, requests.adapters.HTTPAdapter.send.__code__}


class Hops:
    """What one run of the task calls, in its own thread: functions, methods and properties.

    ``frames``: the deepest way from the task to ``requests``, neither of them counted.
    """

    def __init__(self) -> None:
        self.calls = Counter[str]()
        self.frames: list[str] = []

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        if frame.f_code.co_filename.startswith(ROOT):
            if _is_call_of_a_function(frame):
                self.calls[frame.f_code.co_filename.removeprefix(ROOT)] += 1
        elif frame.f_code in REMOTE:
            way = _way_from_task(frame)
            if len(way) > len(self.frames):
                self.frames = way


def _is_call_of_a_function(frame: FrameType) -> bool:
    """Whether a reader follows it somewhere: not a comprehension, not a generator that goes on."""
    code = frame.f_code
    if code.co_name.startswith("<") and code.co_name != "<lambda>":
        return False
    return frame.f_lasti <= _start_of(code)


@cache
def _start_of(code: CodeType) -> int:
    """Where its own statements begin; a generator that goes on is further."""
    return next(step.offset for step in dis.get_instructions(code) if step.opname == "RESUME")


def _way_from_task(frame: FrameType) -> list[str]:
    """Names of the frames between the task and this one; none where the task is not above it."""
    way, above = [], frame.f_back
    while above is not None and above.f_code is not TASK:
        way.append(above.f_code.co_qualname)
        above = above.f_back
    if above is None:
        return []
    return way[::-1]


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    # Sites are read again each second: not for each event.
    tasks.worker().ledger.site_cache.seconds = 3600.0
    for line in sys.stdin:
        hops = Hops()
        sys.setprofile(hops.note)
        try:
            tasks.sync_delivery(int(line))
        finally:
            sys.setprofile(None)
        told = {"frames": hops.frames, "calls": hops.calls.total(), "files": hops.calls}
        print(json.dumps(told), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
