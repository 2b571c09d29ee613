"""Charts keep within their picture."""

from __future__ import annotations

import pytest

from sync_console.pages.charts import LABEL_WIDTH, WIDTH, Series, stacked

HOUR = 3600


@pytest.mark.parametrize("first_hour", range(24))
def test_label_of_the_last_hours_is_not_cut_off(first_hour: int) -> None:
    starts = [(first_hour + number) * HOUR for number in range(24)]
    chart = stacked(starts, [Series("good", "crossed", [1.0] * 24)])
    assert len(chart.labels) == 4
    assert max(label.x for label in chart.labels) <= WIDTH - LABEL_WIDTH
