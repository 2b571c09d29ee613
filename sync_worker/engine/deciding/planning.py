"""What a person's decision asks of the plan, as long as the rating is as that person saw it. Pure.

Each side is compared with what was seen on it. A side that already shows what was decided is done,
so a run that was cut short goes on where it ended. What was edited since is newer than the
decision: it stands, and crosses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from sync_worker.core.plan import (
    TOO_LONG,
    Action,
    Agree,
    Delete,
    Hold,
    Ignore,
    InStep,
    Write,
)
from sync_worker.core.scale import OffScale
from sync_worker.core.values import Side, Value
from sync_worker.core.values.decisions import Asked
from sync_worker.core.values.texts import TooLong
from sync_worker.engine.deciding.decided import Decided
from sync_worker.engine.record_view import EXTERNAL_SLOT
from sync_worker.engine.view import View
from sync_worker.engine.words.planning import NORMALISED
from sync_worker.engine.words.replies import UNSUPPORTED

BOTH = (Side.WIX, Side.EXTERNAL)


class Verdict(Enum):
    """What has become of the rating since a person decided.

    ``STANDS``: it is as they saw it, or as decided. ``OUTDATED``: somebody edited it. ``GONE``: it
    was deleted.
    """

    STANDS = auto()
    OUTDATED = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class DecidedPlan:
    """A decision beside what both sides show now."""

    view: View
    decided: Decided

    # -- does it still count?

    @property
    def verdict(self) -> Verdict:
        main = self.view.carried.main
        if self._is_gone():
            return Verdict.GONE
        if self.decided.is_forced and not any(self._is_deleted(side) for side in BOTH):
            return Verdict.STANDS
        # What came in step since was brought there by the edit.
        if self.decided.is_outdated:
            return Verdict.OUTDATED
        if any(self._is_edited(name, side) for name in self.names for side in BOTH):
            return Verdict.OUTDATED
        # Of what was not decided only the record itself counts: it came, or it went.
        if main is not None and any(self._has_come_or_gone(main, side) for side in BOTH):
            return Verdict.OUTDATED
        return Verdict.STANDS

    @property
    def names(self) -> list[str]:
        """The attributes that it is about."""
        carried = self.view.carried.in_slot[EXTERNAL_SLOT]
        if self.decided.decision.asked is Asked.CHOOSE:
            return [name for name in carried if not self._agrees(name)]
        return [name for name in carried if name in self.decided.decision.values]

    @property
    def is_unsupported(self) -> bool:
        """Whether it is about something that the sides do not both carry."""
        carried = self.view.carried.in_slot[EXTERNAL_SLOT]
        return any(name not in carried for name in self.decided.decision.values)

    def _is_gone(self) -> bool:
        """Whoever decided saw a rating, and now there is none."""
        decision = self.decided.decision
        seen = decision.seen.values()
        was_there = any(one.wix is not None or one.external is not None for one in seen)
        # Only an undo may be of a rating that was gone by then: gone again it is if this run has
        # found that somebody rated anew.
        if not was_there and decision.asked is Asked.UNDO and not self.decided.is_outdated:
            return False
        carried = self.view.carried.in_slot[EXTERNAL_SLOT]
        return all(self.view.value_on(side, name) is None for side in BOTH for name in carried)

    def _is_deleted(self, side: Side) -> bool:
        """Whether a record is gone that was on file: no release of a decision knew that."""
        main = self.view.carried.main or ""
        was_there = main in self.view.bases and self.view.bases[main].on(side) is not None
        return was_there and self.view.value_on(side, main) is None

    def _is_edited(self, name: str, side: Side) -> bool:
        """Whether somebody edited a side since it was seen, to something else than was decided."""
        seen, now = self.decided.decision.seen.get(name), self.view.value_on(side, name)
        # Nothing tells what was seen: only that a record is gone which was on file.
        if seen is None:
            return now is None and self.view.bases[name].on(side) is not None
        # As it was.
        if self.view.carried.says_same(name, side, seen.on(side), now):
            return False
        return not self._is_alike(name, side)

    def _has_come_or_gone(self, main: str, side: Side) -> bool:
        decision = self.decided.decision
        seen = decision.seen.get(main)
        if seen is None or main in decision.values or decision.asked is Asked.CHOOSE:
            return False
        return (seen.on(side) is None) is not (self.view.value_on(side, main) is None)

    def _agrees(self, name: str) -> bool:
        wix, external = (self.view.value_on(side, name) for side in BOTH)
        if wix is None or external is None:
            return (wix or None) is (external or None)
        return self._says_same(name, Side.WIX, external, wix)

    # -- what is still to do

    def action(self, name: str) -> Action:
        """Bring both sides to what was decided, one after the other."""
        # Written in this run, and not taken as written: once more would end the same.
        if name in self.view.written.unmatched:
            return Hold(NORMALISED)
        for side in BOTH:
            if self.is_reached(name, side) or self._takes_no_words(name, side):
                continue
            # By the owner's policy nothing of ours goes there.
            if not self.view.run.site.policy.may_write(side):
                return Ignore("direction")
            return self._step_on(name, side)
        base, now = self.view.bases[name], [self.view.value_on(side, name) for side in BOTH]
        return InStep() if now == [base.wix, base.external] else Agree()

    def _step_on(self, name: str, side: Side) -> Action:
        words = self.view.carried.words.get(name)
        # It shows such a text, and lets nobody change it.
        is_shown = words is not None and self._has_record(name, side)
        if is_shown and words is not None and not words.rule_on(side).can_update:
            return Hold(UNSUPPORTED)
        try:
            wanted = self._wanted(name, side)
        except OffScale:
            return Hold("off_scale")
        except TooLong:
            return Hold(TOO_LONG)
        reason = self.decided.decision.reason
        # The side that was chosen shows nothing.
        return Delete(side, reason) if wanted is None else Write(side, wanted, reason)

    def _wanted(self, name: str, side: Side) -> Value | None:
        """What a side is to show. Raises OffScale, TooLong."""
        source = self._source(name)
        if side is self.decided.decision.side or source is None:
            return source
        covered = self.view.value_on(side, name)
        value: Value = self.view.carried.field_of(name).carried(side, source, covered)
        return value

    def _source(self, name: str) -> Value | None:
        """What was decided, in the units of its side."""
        decision = self.decided.decision
        if decision.asked is Asked.CHOOSE:
            return self.view.value_on(decision.side, name)
        return decision.values[name]

    def is_reached(self, name: str, side: Side) -> bool:
        """Whether a side shows what was decided: on the side of the decision to the digit."""
        source, now = self._source(name), self.view.value_on(side, name)
        is_number = source is not None and now is not None and name not in self.view.carried.words
        # A remote may return another value of the class: once written, that will do.
        is_own = side is self.decided.decision.side and (side, name) not in self.decided.tried
        if is_number and is_own:
            return source == now
        return self._is_alike(name, side)

    def _is_alike(self, name: str, side: Side) -> bool:
        """Whether a side shows what was decided, or another value of its class."""
        source, now = self._source(name), self.view.value_on(side, name)
        if source is None or now is None:
            # A text that says nothing is as good as none, on a record that is there.
            is_silent = not source and not now and self._has_record(name, side)
            return source is now or (is_silent and name in self.view.carried.words)
        if side is self.decided.decision.side:
            return self.view.carried.field_of(name).is_alike(side, source, now)
        return self._says_same(name, side, source, now)

    def _says_same(self, name: str, side: Side, source: Value, now: Value) -> bool:
        """Whether a side says the same as a value in the units of the other."""
        wix, external = source, now
        if side is Side.WIX:
            wix, external = now, source
        try:
            return self.view.carried.field_of(name).agree(wix, external)
        except OffScale:
            return False

    def _has_record(self, name: str, side: Side) -> bool:
        return self.view.record_views[self.view.slot_of(name, side)].remote_id is not None

    def _takes_no_words(self, name: str, side: Side) -> bool:
        """Whether a new record cannot be given such a text."""
        words = self.view.carried.words.get(name)
        if words is None or self._has_record(name, side):
            return False
        return not words.rule_on(side).can_create

    # -- where it does not count any more

    def newer_edits(self) -> Iterator[tuple[str, Action]]:
        """Where one side shows an edit, and the other what was already written for the decision.

        Of these two the edit is the newer one. A side that was chosen is written to once only.
        """
        if self.decided.decision.asked is Asked.CHOOSE:
            return
        for name in self.names:
            edited = [side for side in BOTH if self._is_edited(name, side)]
            if len(edited) != 1 or not self._was_begun(name, edited[0].other):
                continue
            source, target = edited[0], edited[0].other
            value, covered = self.view.value_on(source, name), self.view.value_on(target, name)
            if value is None or not self.view.run.site.policy.may_write(target):
                continue
            try:
                carried = self.view.carried.field_of(name).carried(target, value, covered)
            except (OffScale, TooLong):
                continue
            yield name, Write(target, carried, "changed")

    def _was_begun(self, name: str, side: Side) -> bool:
        """Whether a side shows a write for this decision that the other one has not agreed to.

        What a delivery in hand tells of may be somebody's own edit.
        """
        is_heard = self.view.record_views[self.view.slot_of(name, side)].heard is not None
        base = self.view.bases[name]
        differing = [one for one in BOTH if self.view.value_on(one, name) != base.on(one)]
        return self.is_reached(name, side) and not is_heard and len(differing) == len(BOTH)


def plan_decided(view: View, decided: Decided) -> dict[str, Action]:
    """Actions that take the place of those that were planned without the decision."""
    plan = DecidedPlan(view, decided)
    match plan.verdict:
        case Verdict.STANDS:
            return {name: plan.action(name) for name in plan.names}
        case Verdict.OUTDATED:
            return dict(plan.newer_edits())
        case Verdict.GONE:
            return {}


def note_verdict(view: View, decided: Decided) -> None:
    """Once outdated, a decision stays so for its run."""
    if DecidedPlan(view, decided).verdict is Verdict.OUTDATED:
        decided.is_outdated = True


def is_of_decision(view: View, reason: str) -> bool:
    """Whether a write is for the decision in hand."""
    return view.holds.decided is not None and view.holds.decided.decision.reason == reason


def sources_of(
    view: View, decided: Decided, side: Side, sources: dict[str, Value | None]
) -> dict[str, Value | None]:
    """What a write to ``side`` carries over, without what the other side does not show yet.

    ``sources``: what the other side shows, by attribute.
    """
    plan = DecidedPlan(view, decided)
    if plan.verdict is not Verdict.STANDS:
        return sources
    ours = set(plan.names)
    return {
        name: value
        for name, value in sources.items()
        if name not in ours or plan.is_reached(name, side.other)
    }
