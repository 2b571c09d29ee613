"""Thousands of events of one rating, through real processes: others cross, and one row is held."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from tests.end_to_end.conftest import StageMaker

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]
EVENTS = 3_000
# 57 s before events of one rating were gathered; 5 s since, on two cores with a load of 12.
MAX_DELAY_SECONDS = 20.0


def test_crowd_of_one_rating_delays_no_other_and_holds_one_row(
    make_stage: StageMaker,
) -> None:
    """Somebody whom Wix does not know edits a rating all the time."""
    stage = make_stage({"mug": "mug-outside", "cup": "cup-outside"})
    ben = stage.add_person("ben@example.com", "Ben")
    rating = stage.rate_on_external("nobody@example.com", "Nobody", "mug", Decimal(1))
    for number in range(EVENTS - 1):
        stage.change_on_external(rating, Decimal(1 + number % 5))
        if number == EVENTS // 2:
            stage.rate_on_wix(ben, "cup", 80)
            started = time.monotonic()
    crossed = ("cup", "ben@example.com")
    assert stage.wait_until(lambda: crossed in stage.rated_outside(), 120)
    delay = time.monotonic() - started
    assert stage.wait_until(stage.is_quiet, 200)
    print(f"the other rating crossed after {delay:.1f} s")  # noqa: T201 - for pytest -s
    now = stage.status()
    assert now.held == {"unknown_contact": 1}
    assert now.deliveries["superseded"] > EVENTS / 2
    assert stage.writes()["app"] == 1
    assert delay < MAX_DELAY_SECONDS
