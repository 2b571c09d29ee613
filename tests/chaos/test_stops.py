"""P14, P20: stops, starts and upgrades under load lose nothing and do nothing twice."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from sync_sandbox.stage import Stage
from tests.chaos.conftest import Measured, on
from tests.chaos.load import PRODUCTS, Load
from tests.end_to_end.conftest import StageMaker

pytestmark = [pytest.mark.chaos, pytest.mark.full, pytest.mark.timeout(600)]

STOP_SECONDS = 30.0


def stop(stage: Stage, name: str) -> float:
    """SIGTERM; the seconds until the process has ended by itself."""
    process, started = stage.parts.parts[name].child.process, time.monotonic()
    process.terminate()
    process.wait(STOP_SECONDS)
    assert process.returncode in (
        0,
        -signal.SIGTERM,
    )  # the second: it had not begun to listen for signals
    return time.monotonic() - started


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.long)])
@on(short="sqlite")
def test_worker_stopped_under_load_ends_in_time_and_loses_nothing(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, times: int
) -> None:
    """A worker that is stopped again and again under load ends in time and loses nothing.

    Every other time in its first second.
    """
    stage: Stage = make_stage(PRODUCTS, settings=database)
    for side in (stage.box.wix, stage.box.reviews):
        side.faults.latency_ms = 50
    load, longest = Load(stage, per_second=15), 0.0
    with load.flowing():
        for number in range(times):
            time.sleep(0.7 if number % 2 else 2.5)
            longest = max(longest, stop(stage, "worker 1"))
            stage.parts.restart("worker 1")
    load.assert_all_followed()
    measured("stops", times)
    measured("longest stop in s", longest)
    measured("ratings", load.count)


@on(short="postgres")
def test_newer_gateway_beside_old_workers_loses_nothing(
    make_stage: StageMaker, database: dict[str, str], measured: Measured
) -> None:
    """A gateway of a newer version and its migration beside old workers lose nothing.

    The new gateway comes first, against the manual: its doorbells name a task that old workers
    do not know.
    """
    stage: Stage = make_stage(PRODUCTS, settings=database)
    load = Load(stage, per_second=10)
    with load.flowing():
        time.sleep(1)
        migrate_as_tomorrow(database["DATABASE_URL"])
        part = stage.parts.parts["gateway"]
        root = str(Path(__file__).parents[2])
        part.command = [
            sys.executable,
            "-c",
            f"import runpy, sys; sys.path.insert(0, {root!r});"
            " runpy.run_module('tests.chaos.newer_gateway', run_name='__main__')",
        ]
        stop(stage, "gateway")
        stage.parts.restart("gateway")
        time.sleep(1.5)
        stop(stage, "worker 1")  # an old one starts beside the new schema
        stage.parts.restart("worker 1")
        time.sleep(1)
    seconds = load.assert_all_followed()
    measured("ratings", load.count)
    measured("caught up after s", seconds)


def migrate_as_tomorrow(url: str) -> None:
    """What a migration within a major version may do: add."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE inbox ADD COLUMN of_tomorrow VARCHAR(32)"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
