"""When each of many sites is swept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync_worker.runtime.celery.schedule import Night, seconds_since

SITES = [f"shop-{number}" for number in range(10_000)]


def test_one_site_is_swept_at_the_time_of_the_setting() -> None:
    assert Night("03:00", 240.0).offset_seconds("shop", 1) == 0.0


def test_many_sites_are_spread_evenly_over_the_night() -> None:
    night = Night("03:00", 240.0)
    offsets = [night.offset_seconds(source, len(SITES)) for source in SITES]
    assert max(offsets) < 240 * 60
    by_minute = [int(offset // 60) for offset in offsets]
    counts = [by_minute.count(minute) for minute in range(240)]
    # 42 a minute, and no minute has twice as many.
    assert min(counts) > 10
    assert max(counts) < 84


def test_site_has_the_same_time_every_night() -> None:
    """However many there are besides, once the window is full."""
    night = Night("03:00", 240.0)
    assert night.offset_seconds("shop-7", 1000) == night.offset_seconds("shop-7", 10_000)


@pytest.mark.parametrize("minutes", [0, 90, 1300])
def test_time_since_a_sites_turn_is_below_a_day(minutes: int) -> None:
    at = datetime(2026, 5, 1, 4, 0, tzinfo=UTC)
    since = seconds_since("03:00", at, minutes * 60.0)
    assert 0 <= since < 24 * 3600
    turn = at - timedelta(seconds=since)
    assert (turn.hour * 60 + turn.minute) == (180 + minutes) % 1440


def test_site_that_is_added_moves_nobody() -> None:
    """Who was just swept would be swept again; only where there are twice as many they move."""
    night = Night("03:00", 240.0)
    assert len({night.offset_seconds("shop-7", sites) for sites in range(65, 129)}) == 1
    assert night.offset_seconds("shop-7", 129) > night.offset_seconds("shop-7", 128)
