"""The decision table: what to do about one attribute of one rating. Pure and total.

Each side is compared only with its own base, in its own units; across the sides values are compared
only by what its field calls agreement (numbers: by class; words: by normal form). ``None`` is
absent, on a side and in a base.

    this side \\ that side   same              changed                    deleted
    same                     in step           (mirrored)                 (mirrored)
    changed                  write that side   in one class: agree,       edit or delete, by policy
                                               else conflict, by policy
    deleted                  delete that side  edit or delete, by policy  both gone

A base that was made by an earlier version of the field's mapping is looked at again by the present
one.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any, Protocol

from sync_worker.core.scale import OffScale
from sync_worker.core.values import (
    Base,
    Deletes,
    Direction,
    EditOrDelete,
    Policy,
    Side,
    Snapshot,
    Value,
)
from sync_worker.core.values.texts import TooLong

NO_SIDE: Set[Side] = frozenset()


class Field(Protocol):
    """How one attribute is compared and carried over: ``FieldMap``, ``WordsField``."""

    @property
    def version(self) -> int:
        """Grows when what agreed may not agree any more."""

    def is_unchanged(self, side: str, before: Any, now: Any) -> bool:
        """Whether a side says what it said before."""

    def is_alike(self, side: str, wanted: Any, shown: Any) -> bool:
        """Whether what a side shows is what was written there."""

    def agree(self, wix: Any, external: Any) -> bool:
        """Whether both sides say the same. Raises OffScale."""

    def carried(self, side: str, value: Any, covered: Any) -> Any:
        """What the other side's value is written as on a side. Raises OffScale, TooLong."""


@dataclass(frozen=True, slots=True)
class InStep:
    """Nothing changed that the other side has to know."""


@dataclass(frozen=True, slots=True)
class Agree:
    """Both sides say the same (or both are gone): remember it, write nothing."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """A change that by policy does not cross: remember it, write nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Write:
    """Bring ``value`` (in that side's units) to ``side``."""

    side: Side
    value: Value
    reason: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the attribute from ``side``."""

    side: Side
    reason: str
    privacy: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A person has to decide."""

    reason: str


TOO_LONG = "too_long"
Action = InStep | Agree | Ignore | Write | Delete | Hold


def plan(
    field: Field,
    base: Base,
    wix: Snapshot,
    external: Snapshot,
    policy: Policy,
    edited: Set[Side] = NO_SIDE,
) -> Action:
    """What to do about one attribute, given both sides as they are now.

    ``edited``: sides where other parts of its record were edited: that keeps it alive as well.
    """
    now = {Side.WIX: wix, Side.EXTERNAL: external}
    try:
        return _Case(field, base, now, policy, edited).decide()
    except OffScale:
        # A side shows a value that its scale does not have: it has no class to compare.
        return Hold("off_scale")
    except TooLong:
        # By policy a text is not shortened; and a shortened one is never carried back.
        return Hold(TOO_LONG)


def erase(wix: Snapshot, external: Snapshot) -> Action:
    """A privacy request has removed this opinion: remove it wherever it still shows."""
    # A plan holds one delete at most: the run plans again after it.
    for side, snapshot in ((Side.WIX, wix), (Side.EXTERNAL, external)):
        if snapshot.value is not None:
            return Delete(side, "privacy", privacy=True)
    return Agree()


@dataclass(frozen=True, slots=True)
class _Case:
    field: Field
    base: Base
    now: dict[Side, Snapshot]
    policy: Policy
    edited: Set[Side]

    def decide(self) -> Action:
        differing = [side for side in Side if self.now[side].value != self.base.on(side)]
        changed = [side for side in differing if self.is_changed(side)]
        is_compared = self.base.version == self.field.version
        # unchanged on both sides
        if not differing and is_compared:
            return InStep()
        # said in other bytes: from now on those are what the side said
        if not changed and is_compared:
            return Agree()
        # unchanged on both sides, compared by another mapping before
        if not changed:
            return self.rescale()
        # changed to the same class, or deleted, on both sides
        if self.agrees():
            return Agree()
        # deleted on one side, while the rest of its record was edited on the other
        if len(changed) == 1 and self.is_deleted(changed[0]) and changed[0].other in self.edited:
            return self.resolve()
        # changed or deleted on one side, unchanged on the other
        if len(changed) == 1:
            return self.carry(changed[0], reason="changed")
        # changed or deleted on both sides, differently
        return self.resolve()

    def is_changed(self, side: Side) -> bool:
        return not self.field.is_unchanged(side, self.base.on(side), self.now[side].value)

    def is_deleted(self, side: Side) -> bool:
        return self.now[side].value is None

    def rescale(self) -> Action:
        """What does not agree by the new scales is a first difference."""
        # absent on a side as before, or still in one class
        if any(self.now[side].value is None for side in Side) or self.agrees():
            return Agree()
        # in one class by the earlier mapping only
        return self.by_rule(self.policy.first_difference, "scale_changed")

    def agrees(self) -> bool:
        wix, external = self.now[Side.WIX].value, self.now[Side.EXTERNAL].value
        if wix is None or external is None:
            # gone on one side at least: in agreement only if gone on both
            return wix is external
        return self.field.agree(wix, external)

    def carry(self, winner: Side, *, reason: str) -> Action:
        """Bring what the winner shows to the other side, if policy lets it cross."""
        target, value = winner.other, self.now[winner].value
        privacy = value is None and self.now[winner].privacy
        # not to cross by policy; a privacy request always does
        if not self.policy.may_write(target) and not privacy:
            return Ignore("direction")
        # created or changed on the winner's side
        if value is not None:
            covered = self.base.on(target)
            return Write(target, self.field.carried(target, value, covered), reason)
        # deleted on the winner's side
        if self.policy.deletes == Deletes.IGNORE and not privacy:
            return Ignore("deletes")
        # deleted at its person's request: no policy keeps that back
        if privacy:
            return Delete(target, "privacy", privacy=True)
        # deleted by anybody else
        return Delete(target, reason)

    def resolve(self) -> Action:
        """Both sides changed and do not agree."""
        # deleted on one side because its person asked for that
        for side in Side:
            if self.now[side].privacy and self.now[side].value is None:
                return self.carry(side, reason="privacy")
        # only one side may be written to
        if self.policy.direction != Direction.BOTH:
            source = Side.WIX if self.policy.direction == Direction.TO_EXTERNAL else Side.EXTERNAL
            return self.carry(source, reason="direction")
        # deleted on one side, changed on the other since (both deleted would agree)
        gone = [side for side in Side if self.now[side].value is None]
        if gone:
            winner = gone[0] if self.policy.edit_or_delete == EditOrDelete.DELETE else gone[0].other
            return self.carry(winner, reason=f"{self.policy.edit_or_delete}_wins")
        # found on both sides, never in step before
        if self.base == Base():
            return self.by_rule(self.policy.first_difference, "first_difference")
        # changed on both sides since they agreed
        return self.by_rule(self.policy.conflict, "conflict")

    def by_rule(self, rule: str, name: str) -> Action:
        if rule == "hold":
            return Hold(name)
        # policy names the later change, or a side
        winner = self.latest() if rule == "latest" else Side(rule)
        return self.carry(winner, reason=f"{name}_{rule}")

    def latest(self) -> Side:
        """The side whose change counts as the later.

        A change whose delivery is in hand beats a change found by reading; the later delivery beats
        the earlier.

        Clocks of two systems are never compared (I19): deliveries are ordered by when we accepted
        them. What we may have written ourselves is older than any edit that it does not show.
        """
        for side in Side:
            if self.now[side].may_be_ours and not self.now[side.other].may_be_ours:
                return side.other
        wix, external = self.now[Side.WIX].heard, self.now[Side.EXTERNAL].heard
        if external is not None and (wix is None or external > wix):
            # heard of outside only, or outside last
            return Side.EXTERNAL
        # heard of on Wix last; or on neither side, where Wix wins by convention
        return Side.WIX
