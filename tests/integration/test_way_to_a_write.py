"""How far it is from a task to the remote call: what a reader of a trace-back has to go through."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from redis import Redis

from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.integration.test_counts import VISITOR, Bench, opened

OURS = str(Path(__file__).parents[2] / "sync_worker")
TASK = 1  # the frame of the task itself, which the bench leaves out
# These may only go down.
MAX_FRAMES, MAX_FILES, MAX_CALLS = 15, 70, 900


@dataclass
class Way:
    """What one delivery ran through.

    ``deepest``: frames of ours above a call of ``requests``; ``files`` and ``calls`` of ours.
    """

    deepest: int = 0
    files: set[str] = field(default_factory=set)
    calls: int = 0

    def see(self, frame: FrameType, event: str, argument: object) -> None:
        """Note a call; the interpreter tells of each one."""
        if event != "call":
            return
        file = frame.f_code.co_filename
        if file.startswith(OURS):
            self.files.add(file)
            self.calls += 1
        elif file.endswith("requests/sessions.py") and frame.f_code.co_name == "send":
            self.deepest = max(self.deepest, frames_of_ours(frame))


def frames_of_ours(frame: FrameType) -> int:
    count, above = 0, frame.f_back
    while above is not None:
        count += above.f_code.co_filename.startswith(OURS)
        above = above.f_back
    return count


@contextmanager
def watched() -> Iterator[Way]:
    way = Way()
    sys.setprofile(way.see)
    try:
        yield way
    finally:
        sys.setprofile(None)


def test_way_from_a_webhook_to_its_write_stays_short(
    tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> None:
    """A change on Wix of a rating that both sides know: one delivery, one remote write."""
    with opened(tmp_path, redis, redis_server) as bench:
        rating = a_rating_on_both_sides(bench)
        bench.box.wix.update_rating(rating, 60, VISITOR)
        assert bench.box.flush(10)
        with watched() as way:
            assert str(bench.intake.process(bench.bell.rung.pop(0))) == "synced"
    found = (way.deepest + TASK, len(way.files), way.calls)
    assert way.deepest > 0
    print(f"{found[0]} frames, {found[1]} files, {found[2]} calls")  # noqa: T201 - shown with -s
    assert found[0] <= MAX_FRAMES
    assert found[1] <= MAX_FILES
    assert found[2] <= MAX_CALLS


def a_rating_on_both_sides(bench: Bench) -> str:
    rating = bench.rate_on_wix(80)
    bench.drain()
    return rating
