"""P15: a clock that is wrong neither loses nor doubles anything; leases and due times are the
database's.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sync_sandbox.stage import Stage
from tests.chaos.conftest import Measured, on
from tests.chaos.load import PRODUCTS, Load
from tests.end_to_end.conftest import StageMaker

pytestmark = [pytest.mark.chaos, pytest.mark.full, pytest.mark.timeout(300)]

SHIFTED = str(Path(__file__).with_name("shifted_clock"))


@pytest.mark.parametrize(
    "minutes",
    [10, *(pytest.param(one, marks=pytest.mark.long) for one in (-10, 60, -60))],
    ids=lambda one: f"{one} min",
)
@on(short="postgres")
def test_worker_whose_clock_is_wrong_loses_and_doubles_nothing(
    make_stage: StageMaker, database: dict[str, str], measured: Measured, minutes: int
) -> None:
    """On PostgreSQL it works beside one whose clock is right; on SQLite the gateway's is right.

    It is killed once.
    """
    restarts = 1 if minutes == 10 else 2
    is_fleet = "postgres" in database["DATABASE_URL"]
    stage: Stage = make_stage(PRODUCTS, settings=database, workers=2 if is_fleet else 1)
    load = Load(stage, per_second=15)
    right, wrong = stage.parts.environ, {"PYTHONPATH": SHIFTED, "CLOCK_SHIFT": str(minutes * 60)}
    wrong_one = "worker 2" if is_fleet else "worker 1"
    asked = [sys.executable, "-c", "import time; print(time.time())"]
    told = float(
        subprocess.run(asked, env=wrong, capture_output=True, check=True, timeout=20).stdout
    )
    assert abs(told - time.time() - minutes * 60) < 20
    with load.flowing():
        for _ in range(restarts):
            stage.parts.environ = {**right, **wrong}
            stage.parts.restart(wrong_one)
            time.sleep(3)
    stage.parts.environ = right
    if (
        not is_fleet
    ):  # SQLite's clock is that of whoever asks: what the wrong one put off is due with a right one
        stage.parts.restart(wrong_one)
    seconds = load.assert_all_followed()
    measured("ratings", load.count)
    measured("caught up after s", seconds)
