"""Bars over hours, as inline SVG: no script, and the table beneath says the same. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

WIDTH, HEIGHT = 360.0, 150.0
LEFT, TOP, BASE = 40.0, 16.0, 122.0  # of the field that the bars stand in
GAP = 2.0
LABEL_EVERY, LABEL_WIDTH = 6, 36.0  # hours; what one takes


@dataclass(frozen=True, slots=True)
class Series:
    """``kind``: good, warn, bad or plain, its colour; ``words``: what it is."""

    kind: str
    words: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True, slots=True)
class Label:
    x: float
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """``top``: what the highest line is; empty: there is nothing to show."""

    bars: Sequence[Bar]
    labels: Sequence[Label]
    top: str
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    base: float = BASE
    ceiling: float = TOP


def stacked(starts: Sequence[float], series: Sequence[Series], unit: str = "") -> Chart:
    """The values of each hour, one on the other; ``starts``: of the hours, in seconds."""
    sums = [sum(values) for values in zip(*(one.values for one in series), strict=True)]
    highest = _rounded(max(sums, default=0.0))
    step = (WIDTH - LEFT) / max(1, len(starts))
    bars = list[Bar]()
    for place in range(len(starts)):
        y = BASE
        for one in series:
            height = (BASE - TOP) * one.values[place] / highest if highest else 0.0
            # What there is shows, however little.
            height = max(height, 1.5) if one.values[place] > 0 else 0.0
            y -= height
            if height:
                x = round(LEFT + place * step + GAP / 2, 2)
                bars.append(Bar(x, round(y, 2), round(step - GAP, 2), round(height, 2), one.kind))
    labels = [
        # The last hours stand too far right for their label.
        Label(
            round(min(LEFT + place * step, WIDTH - LABEL_WIDTH), 2),
            f"{datetime.fromtimestamp(start, UTC):%H:%M}",
        )
        for place, start in enumerate(starts)
        if datetime.fromtimestamp(start, UTC).hour % LABEL_EVERY == 0
    ]
    return Chart(bars, labels, f"{highest:,.0f}{unit}" if highest else "")


def _rounded(value: float) -> float:
    """Up to a number that is easily read."""
    if value <= 0:
        return 0.0
    size = 10.0 ** (len(str(int(value))) - 1)
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= value)


def hour_words(start: float) -> str:
    """An hour for people, by its beginning."""
    return f"{datetime.fromtimestamp(start, UTC):%H:%M}"
