"""Exact conversion between scales: the mapping law, classes and representatives."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_worker.core.scale import FieldMap, MappingKind, OffScale, Scale

PERCENT = Scale(Decimal(0), Decimal(100), Decimal(1))
STARS = Scale(Decimal(1), Decimal(5), Decimal(1))
HALF_STARS = Scale(Decimal("0.5"), Decimal(5), Decimal("0.5"))
KINDS: tuple[MappingKind, ...] = ("proportional", "span")


def scales() -> st.SearchStrategy[Scale]:
    def make(minimum: int, levels: int, step: Decimal) -> Scale:
        return Scale(Decimal(minimum), Decimal(minimum) + levels * step, step)

    steps = st.sampled_from([Decimal("0.5"), Decimal(1), Decimal("0.25"), Decimal(10)])
    return st.builds(make, st.integers(0, 5), st.integers(1, 60), steps)


@given(st.builds(FieldMap, st.just("a"), st.just("f"), scales(), scales(), st.sampled_from(KINDS)))
def test_lawful_mapping_survives_every_round_trip(field: FieldMap) -> None:
    if field.violations():
        return
    for wix in field.wix:
        external = field.to_external(wix)
        assert field.agree(wix, external)
        assert field.to_external(field.to_wix(external)) == external
    for external in field.external:
        assert field.agree(field.to_wix(external), external)


@given(scales(), st.fractions(Fraction(-100), Fraction(1000)))
def test_nearest_level_is_really_the_nearest_with_halves_upwards(
    scale: Scale, value: Fraction
) -> None:
    chosen = Fraction(scale.level(scale.nearest(value)))
    for level in scale:
        assert abs(chosen - value) <= abs(Fraction(level) - value)


@pytest.mark.parametrize(
    ("field", "wix", "external"),
    [
        (FieldMap("o", "value", PERCENT, STARS), 73, "4"),
        (FieldMap("o", "value", PERCENT, STARS), 50, "3"),  # half upwards
        (FieldMap("o", "value", PERCENT, HALF_STARS), 73, "3.5"),
        (FieldMap("o", "value", PERCENT, STARS, "span"), 100, "5"),
        (FieldMap("o", "value", PERCENT, STARS, "span"), 0, "1"),
        (FieldMap("o", "value", STARS, STARS), 3, "3"),
    ],
)
def test_wix_value_becomes_external_value(field: FieldMap, wix: int, external: str) -> None:
    assert field.to_external(Decimal(wix)) == Decimal(external)


def test_every_shipped_shape_of_mapping_is_lawful() -> None:
    for external in (STARS, HALF_STARS, Scale(Decimal(1), Decimal(10), Decimal(1)), PERCENT):
        for kind in KINDS:
            assert FieldMap("o", "value", PERCENT, external, kind).violations() == []


def test_unlawful_mapping_is_told_value_by_value() -> None:
    narrow = FieldMap(
        "o",
        "value",
        Scale(Decimal(1), Decimal(5), Decimal(1)),
        Scale(Decimal(4), Decimal(9), Decimal(1)),
    )
    assert narrow.violations() == [
        "1 becomes 4, which reads back as 2",
    ]


@pytest.mark.parametrize("value", ["0", "0.3", "5.5", "NaN", "Infinity"])
def test_value_off_its_scale_is_refused(value: str) -> None:
    with pytest.raises(OffScale):
        HALF_STARS.index(Decimal(value))


@pytest.mark.parametrize(
    ("minimum", "maximum", "step"),
    [("5", "1", "1"), ("0", "1", "0"), ("0", "1", "0.3"), ("0", "NaN", "1")],
)
def test_impossible_scale_is_refused(minimum: str, maximum: str, step: str) -> None:
    with pytest.raises(ValueError, match="scale"):
        Scale(Decimal(minimum), Decimal(maximum), Decimal(step))


def test_proportional_mapping_needs_a_maximum_above_zero() -> None:
    with pytest.raises(ValueError, match="span"):
        FieldMap("o", "value", PERCENT, Scale(Decimal(-5), Decimal(0), Decimal(1)))
