"""A number from outside costs nothing before it is known to be one within the bounds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_worker.core.numbers import BadNumber, exact_number, is_within_bounds, whole_number
from sync_worker.core.scale import FieldMap, OffScale, Scale
from tests.hostile import NUMBERS

STARS = Scale(Decimal(1), Decimal(5), Decimal(1))
PERCENT = Scale(Decimal(0), Decimal(100), Decimal(1))
CPU_SECONDS = 0.2
ABSURD = ("1e20000000", "1e-20000000", "-1e20000000", "1e999999999", "0e20000000", "NaN", "sNaN")


@contextmanager
def little_time() -> Iterator[None]:
    before = time.thread_time()
    yield
    assert time.thread_time() - before < CPU_SECONDS


@pytest.mark.parametrize("text", ["4", " 4 ", "+4", "4.50", ".5", "5.", "-3.25", "1e2", "1E-3"])
def test_plain_number_is_exact(text: str) -> None:
    assert exact_number(text) == Decimal(text.strip())


@pytest.mark.parametrize("name", NUMBERS)
def test_hostile_number_is_small_or_refused_at_once(name: str) -> None:
    text = NUMBERS[name].strip('"')
    with little_time(), suppress(BadNumber):
        number = exact_number(text)
        assert is_within_bounds(number)
        assert not number.is_signed() or number < 0


@pytest.mark.parametrize("text", ["1" * 100_000, "1e20000000", "x" * 100_000])
def test_refusal_of_a_number_is_short(text: str) -> None:
    with pytest.raises(BadNumber) as refused:
        exact_number(text)
    assert len(str(refused.value)) < 120


def test_minus_zero_is_zero() -> None:
    assert [str(exact_number(text)) for text in ("-0", "-0.0", "0")] == ["0", "0.0", "0"]


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000)
)
def test_number_of_any_rating_system_is_taken(number: Decimal) -> None:
    assert exact_number(str(number)) == number


@pytest.mark.parametrize("text", ABSURD)
@pytest.mark.parametrize(
    "scale", [STARS, PERCENT, Scale(Decimal("0.5"), Decimal(5), Decimal("0.5"))]
)
def test_absurd_number_is_off_every_scale_at_once(text: str, scale: Scale) -> None:
    with little_time(), pytest.raises(OffScale):
        scale.index(Decimal(text))


@pytest.mark.parametrize("text", ABSURD)
def test_absurd_number_converts_to_nothing_at_once(text: str) -> None:
    field = FieldMap("overall", "value", PERCENT, STARS)
    with little_time():
        for convert in (field.to_wix, field.to_external):
            with pytest.raises(OffScale):
                convert(Decimal(text))


@pytest.mark.parametrize("text", [*ABSURD, "1" * 40, "0." + "1" * 40])
@pytest.mark.parametrize(
    "make",
    [
        lambda part: Scale(part, Decimal(5), Decimal(1)),
        lambda part: Scale(Decimal(0), part, Decimal(1)),
        lambda part: Scale(Decimal(0), Decimal(5), part),
    ],
    ids=["minimum", "maximum", "step"],
)
def test_scale_of_absurd_parts_is_refused_at_once(
    text: str, make: Callable[[Decimal], Scale]
) -> None:
    with little_time(), pytest.raises(ValueError, match="scale") as refused:
        make(Decimal(text))
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("name", NUMBERS)
def test_hostile_number_is_whole_and_small_or_none_at_once(name: str) -> None:
    text = NUMBERS[name]
    spoken: list[object] = [text, text.strip('"')]
    if text[-1].isdigit() and len(text) < 100 and "99999" not in text:
        spoken.append(Decimal(text))
    with little_time():
        for value in spoken:
            number = whole_number(value)
            assert number is None or abs(number) < 2**63


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (True, None),
        (Decimal("5.0"), 5),
        (Decimal("5.5"), None),
        ("9007199254740993", 9007199254740993),
        ("-3", -3),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        (2**63, None),
        ("５", None),
        ("5_0", None),
        ("", None),
        (json.loads("[5]"), None),
    ],
)
def test_whole_number_is_taken_in_every_spelling_of_wix(value: object, number: int | None) -> None:
    assert whole_number(value) == number
