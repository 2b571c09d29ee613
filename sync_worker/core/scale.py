"""Exact conversion between two rating scales, by classes of the coarser one.

A *class* is one level of the scale with fewer levels. Two values agree when they are in the same
class; a value crosses over as the representative of its class on the other scale, and is never
rewritten inside its class (invariants I16 and I17 of the design). All arithmetic is exact:
``Decimal`` in, ``Decimal`` out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal

from sync_worker.core.numbers import MAX_EXPONENT, SHOWN, is_within_bounds

MappingKind = Literal["proportional", "span"]
MAX_LEVELS = 10_001  # both ranges are checked level by level when a mapping is saved


class OffScale(ValueError):
    """The value is outside of its scale or between two of its steps."""


@dataclass(frozen=True)
class Scale:
    """``minimum`` to ``maximum``, both included, in steps of ``step``.

    The unit is the remote's own.
    """

    minimum: Decimal
    maximum: Decimal
    step: Decimal

    def __post_init__(self) -> None:
        # Before any arithmetic: exact fractions of 1e20000000 take minutes.
        for part in (self.minimum, self.maximum, self.step):
            if not is_within_bounds(part):
                raise ValueError(f"{str(part)[:SHOWN]!r} is no part of a scale")
        if self.step <= 0 or self.maximum <= self.minimum:
            raise ValueError(f"scale {self} needs a step above 0 and a maximum above its minimum")
        if (Fraction(self.maximum) - Fraction(self.minimum)) % Fraction(self.step):
            raise ValueError(
                f"scale {self}: the maximum is not a whole number of steps above the minimum"
            )
        if self.levels > MAX_LEVELS:
            raise ValueError(f"scale {self} has {self.levels} levels, more than {MAX_LEVELS}")

    def __str__(self) -> str:
        return f"{self.minimum}..{self.maximum} step {self.step}"

    @cached_property
    def levels(self) -> int:
        return int((Fraction(self.maximum) - Fraction(self.minimum)) / Fraction(self.step)) + 1

    def level(self, index: int) -> Decimal:
        return self.minimum + index * self.step

    def __iter__(self) -> Iterator[Decimal]:
        return (self.level(index) for index in range(self.levels))

    def index(self, value: Decimal) -> int:
        """Position of ``value``, 0 for the minimum.

        Raises OffScale when it is not a level of this scale.
        """
        # By its exponent first: to look for the position of 1e20000000 takes minutes.
        is_near = value.is_finite() and abs(value.adjusted()) <= MAX_EXPONENT
        position = _position(self, value) if is_near else None
        if position is None:
            raise OffScale(f"{str(value)[:SHOWN]} is not on the scale {self}")
        return position

    def nearest(self, value: Fraction) -> int:
        """Position of the level nearest to ``value``, halves upwards, clamped to the scale."""
        # floor(exact + 1/2) in whole numbers; Python's round() takes halves to the even level.
        exact = (value - Fraction(self.minimum)) / Fraction(self.step)
        return max(
            0,
            min(
                self.levels - 1,
                (2 * exact.numerator + exact.denominator) // (2 * exact.denominator),
            ),
        )


@lru_cache(maxsize=65_536)
def _position(scale: Scale, value: Decimal) -> int | None:
    """Position of a finite ``value``, None between the levels and beyond them."""
    position = (Fraction(value) - Fraction(scale.minimum)) / Fraction(scale.step)
    if position.denominator != 1 or not 0 <= position < scale.levels:
        return None
    return int(position)


@dataclass(frozen=True)
class FieldMap:
    """A Wix attribute ↔ an external field, with both scales.

    ``proportional``: equal shares of the maximum (4 of 5 is 80 of 100). ``span``: the minimum of
    one scale is the minimum of the other (1 of 5 is 0 of 100). ``external_field`` is ``"value"``
    for the connector's main value.
    """

    attribute: str
    external_field: str
    wix: Scale
    external: Scale
    mapping: MappingKind = "proportional"
    version: int = 1

    def __post_init__(self) -> None:
        if self.mapping == "proportional" and min(self.wix.maximum, self.external.maximum) <= 0:
            raise ValueError("a proportional mapping needs both maxima above 0; use mapping 'span'")

    @cached_property
    def coarse_and_fine(self) -> tuple[Scale, Scale]:
        """Both scales, the one with fewer levels first; Wix's if they have as many."""
        if self.wix.levels <= self.external.levels:
            return self.wix, self.external
        return self.external, self.wix

    def _image(self, value: Decimal, source: Scale, target: Scale) -> Fraction:
        if self.mapping == "proportional":
            return Fraction(value) * Fraction(target.maximum) / Fraction(source.maximum)
        share = (Fraction(value) - Fraction(source.minimum)) / (
            Fraction(source.maximum) - Fraction(source.minimum)
        )
        return Fraction(target.minimum) + share * (
            Fraction(target.maximum) - Fraction(target.minimum)
        )

    def wix_class(self, value: Decimal) -> int:
        """Class of a Wix value. Raises OffScale."""
        # Checked first: on the finer scale ``nearest`` clamps what is off the scale.
        self.wix.index(value)
        return _class_of(self, value, self.wix)

    def external_class(self, value: Decimal) -> int:
        """Class of an external value. Raises OffScale."""
        # Checked first, as in ``wix_class``.
        self.external.index(value)
        return _class_of(self, value, self.external)

    def agree(self, wix: Decimal, external: Decimal) -> bool:
        """Whether both values are in one class. Raises OffScale."""
        return self.wix_class(wix) == self.external_class(external)

    def to_external(self, wix: Decimal) -> Decimal:
        """What a Wix value is written as on the external side. Raises OffScale."""
        return _representative(self, self.wix_class(wix), self.external)

    def to_wix(self, external: Decimal) -> Decimal:
        """What an external value is written as on Wix. Raises OffScale."""
        return _representative(self, self.external_class(external), self.wix)

    def carried(self, side: str, value: Decimal, covered: Decimal | None) -> Decimal:
        """What the other side's value is written as on a side, whatever it covers."""
        return self.to_wix(value) if side == "wix" else self.to_external(value)

    def is_unchanged(self, side: str, before: Decimal | None, now: Decimal | None) -> bool:
        """Whether a side says what it said before: to the digit."""
        return before == now

    def is_alike(self, side: str, wanted: Decimal, shown: Decimal) -> bool:
        """Whether two values of one side are in one class: a remote may return another one."""
        class_of = self.wix_class if side == "wix" else self.external_class
        try:
            return class_of(wanted) == class_of(shown)
        except OffScale:
            # off the scale there is no class: only the very value counts
            return wanted == shown

    def violations(self) -> list[str]:
        """Every breach of the mapping law I17, in words; empty when the mapping may be saved.

        The law, checked on every level of both scales: each class has a representative on the finer
        scale whose class it is, and classes grow with values.
        """
        return list(_violations(self))


@lru_cache(maxsize=65_536)
def _class_of(mapping: FieldMap, value: Decimal, scale: Scale) -> int:
    coarse, _ = mapping.coarse_and_fine
    # a level of the coarser scale is a class of its own
    if scale is coarse or scale == coarse:
        return coarse.index(value)
    # a level of the finer scale belongs to the class nearest to it
    return coarse.nearest(mapping._image(value, scale, coarse))


@lru_cache(maxsize=65_536)
def _representative(mapping: FieldMap, class_index: int, scale: Scale) -> Decimal:
    coarse, fine = mapping.coarse_and_fine
    level = coarse.level(class_index)
    if scale == coarse:
        return level
    return fine.level(fine.nearest(mapping._image(level, coarse, fine)))


def _violations(mapping: FieldMap) -> Iterator[str]:
    coarse, fine = mapping.coarse_and_fine
    # Each class comes back to itself from the finer scale.
    for index in range(coarse.levels):
        there = _representative(mapping, index, fine)
        back = _class_of(mapping, there, fine)
        if back != index:
            yield f"{coarse.level(index)} becomes {there}, which reads back as {coarse.level(back)}"
    # A higher value is never in a lower class.
    classes = [_class_of(mapping, value, fine) for value in fine]
    for value, lower, upper in zip(list(fine)[1:], classes, classes[1:], strict=False):
        if upper < lower:
            yield f"{value} is above its neighbour but its class {coarse.level(upper)} is below"
