"""What a person decides about single ratings: each is a delivery that a worker processes.

Nothing is written to a remote here. A worker leases the rating, looks at both sides, and writes, as
for any delivery; the history names who asked, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from sync_worker.core.hold_reasons import DECISION_OUTDATED, STOPPED
from sync_worker.core.ports.decisions import Decisions as DecisionsOnFile
from sync_worker.core.ports.decisions import HeldOne, PastLine, RatingOnFile
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.said import said
from sync_worker.core.values import LinkState, Side, Value
from sync_worker.core.values.decisions import Asked, Decision
from sync_worker.services.access.who import Right, Who
from sync_worker.services.deciding.choice import Choice, chosen_values
from sync_worker.services.deciding.refusals import (
    BadChoice,
    NotPossible,
    RatingChanged,
    RatingGone,
    StillDeciding,
    UnknownLine,
    UnknownRating,
)
from sync_worker.services.deciding.shown import RatingShown, rating_shown
from sync_worker.services.deciding.undoing import restored, side_of

WAITS_FOR_STOP = (STOPPED, "link_held")
MAX_WHY = 500  # characters
FORGOTTEN = said("its person asked to be forgotten: nothing of it is left")
# Held because both sides differ, or one cannot be as the other: a side can be named to win.
CHOOSABLE = frozenset(
    {
        "attempts_exhausted",
        "conflict_unexplained",
        "create_failed",
        "decision_outdated",
        "fight",
        "first_difference",
        "link_held",
        "main_value_missing",
        "normalised_by_remote",
        "off_scale",
        "refused",
        "scale_changed",
        "too_long",
        "unsupported",
    }
)


def _new_name() -> str:
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class Decisions:
    """Every method checks the rights of ``who``; raises Forbidden and DecisionRefused.

    A ``token`` names one decision of a person: sent twice, it is one. ``new_name``: for decisions
    without one.
    """

    on_file: DecisionsOnFile
    bell: Bell
    new_name: Callable[[], str] = _new_name

    def show(self, who: Who, link_id: int) -> RatingShown:
        """A rating as it is on file; an address only for who may see it."""
        rating = self._of(who, Right.LOOK, self.on_file.rating(link_id), link_id)
        with_address = who.may(Right.SEE_ADDRESSES, rating.site.id)
        return rating_shown(rating, with_address=with_address)

    def compare_now(self, who: Who, link_id: int, *, token: str = "") -> int:
        """Look at both sides now, and bring them in step; the number of the delivery."""
        return self._store(who, link_id, token, self._plain(who, link_id, Asked.COMPARE, ""))

    def make_both(
        self,
        who: Who,
        link_id: int,
        choice: Choice,
        why: str,
        version: int | None = None,
        *,
        token: str = "",
    ) -> int:
        """Both sides are to show this; the number of the delivery.

        ``version``: of the rating as the person saw it, ``None``: as it is on file now.
        """
        why = _checked(why)

        def judge(found: RatingOnFile | None) -> Decision:
            rating = self._undecided(who, found, link_id)
            if version is not None and version != rating.version:
                raise RatingChanged(rating, said("somebody changed the rating since you looked"))
            if rating.state is LinkState.BURIED:
                raise RatingGone(
                    said("the rating is gone on both sides; undo its delete to bring it back")
                )
            values = chosen_values(choice, rating)
            return _decision(Asked.MAKE, who, why, choice.side, rating, values)

        return self._store(who, link_id, token, judge)

    def undo(self, who: Who, history_id: int, why: str, *, token: str = "") -> int:
        """Both sides are to show what this line of the history says was overwritten.

        Of a delete: the rating is made again.
        """
        why, line = _checked(why), self._line_of(who, history_id)
        side, link_id, newest = side_of(line), line.link_id or 0, line.newest

        def judge(found: RatingOnFile | None) -> Decision:
            rating = self._undecided(who, found, link_id)
            values = restored(line, rating)
            # What was written after the line was read may be about the same.
            if rating.version != newest:
                raise RatingChanged(rating, said("somebody changed the rating just now"))
            decided = _decision(Asked.UNDO, who, why, side, rating, values)
            return replace(decided, line=history_id)

        return self._store(who, link_id, token, judge)

    def choose_side(
        self, who: Who, inbox_ids: Sequence[int], side: Side, why: str, *, token: str = ""
    ) -> Sequence[int]:
        """Both sides are to show what one of them shows, of these held deliveries.

        One decision for each rating. All are looked at before the first is stored.
        """
        why = _checked(why)
        held = {one.inbox_id: one for one in self.on_file.held(inbox_ids)}
        links = dict.fromkeys(self._link_of(who, held.get(one), one) for one in inbox_ids)

        def judge_of(link_id: int) -> Callable[[RatingOnFile | None], Decision]:
            def judge(found: RatingOnFile | None) -> Decision:
                rating = self._undecided(who, found, link_id)
                return _decision(Asked.CHOOSE, who, why, side, rating, {})

            return judge

        return [
            self._store(who, link_id, f"{token}:{link_id}" if token else "", judge_of(link_id))
            for link_id in links
        ]

    def stop(self, who: Who, link_id: int, why: str, *, token: str = "") -> int:
        """Nothing more is written for this rating before a person lets it go on."""
        why = _checked(why)
        return self._store(who, link_id, token, self._plain(who, link_id, Asked.STOP, why))

    def go_on(self, who: Who, link_id: int, why: str) -> Sequence[int]:
        """Let a rating go on that a person stopped; the numbers of what goes on."""
        nothing = said(
            "nobody has stopped r%(number)s, or that is still on its way", number=link_id
        )
        return self._let_go_on(who, link_id, WAITS_FOR_STOP, why, nothing)

    def carry_out(self, who: Who, link_id: int, why: str) -> Sequence[int]:
        """Carry a decision out although somebody has edited the rating since; the numbers."""
        nothing = said("no decision about r%(number)s is held", number=link_id)
        return self._let_go_on(who, link_id, (DECISION_OUTDATED,), why, nothing)

    # -- the parts

    def _let_go_on(
        self, who: Who, link_id: int, reasons: Sequence[str], why: str, nothing: str
    ) -> Sequence[int]:
        why = _checked(why)
        self._of(who, Right.DECIDE, self.on_file.rating(link_id), link_id)
        released = self.on_file.let_go_on(link_id, reasons, who.name, why)
        if not released:
            raise NotPossible(nothing)
        self.bell.ring(released)
        return released

    def _line_of(self, who: Who, number: int) -> PastLine:
        line = self.on_file.line(number)
        if line is None or not _sees(who, Right.DECIDE, line.site_id):
            raise UnknownLine(number)
        who.check(Right.DECIDE, line.site_id)
        return line

    def _of(self, who: Who, right: Right, found: RatingOnFile | None, link_id: int) -> RatingOnFile:
        """Of another site not even that it is there is told."""
        if found is None or not _sees(who, right, found.site.id):
            raise UnknownRating(link_id)
        who.check(right, found.site.id)
        return found

    def _undecided(self, who: Who, found: RatingOnFile | None, link_id: int) -> RatingOnFile:
        """A rating that something may be decided about now."""
        rating = self._of(who, Right.DECIDE, found, link_id)
        if rating.is_erased:
            raise RatingGone(FORGOTTEN)
        if rating.deciding is not None:
            raise StillDeciding(rating.deciding)
        if STOPPED in rating.held.values():
            raise NotPossible(
                said("a person has stopped r%(number)s: let it go on first", number=link_id)
            )
        return rating

    def _plain(
        self, who: Who, link_id: int, asked: Asked, why: str
    ) -> Callable[[RatingOnFile | None], Decision]:
        def judge(found: RatingOnFile | None) -> Decision:
            rating = self._of(who, Right.DECIDE, found, link_id)
            if rating.is_erased:
                raise RatingGone(FORGOTTEN)
            if asked is Asked.STOP and STOPPED in rating.held.values():
                raise NotPossible(said("r%(number)s is stopped already", number=link_id))
            return Decision(asked, who.name, why)

        return judge

    def _link_of(self, who: Who, held: HeldOne | None, inbox_id: int) -> int:
        if held is None or held.site_id is None or not _sees(who, Right.DECIDE, held.site_id):
            raise NotPossible(said("delivery #%(number)s is not held (any more)", number=inbox_id))
        who.check(Right.DECIDE, held.site_id)
        if held.link_id is None or held.reason not in CHOOSABLE:
            raise NotPossible(
                said(
                    "delivery #%(number)s is held for %(reason)s: that is no choice between two"
                    " values",
                    number=inbox_id,
                    reason=held.reason,
                )
            )
        return held.link_id

    def _store(
        self,
        who: Who,
        link_id: int,
        token: str,
        judge: Callable[[RatingOnFile | None], Decision],
    ) -> int:
        name = f"{who.name}:{token}"[:MAX_WHY] if token else self.new_name()
        inbox_id = self.on_file.decide(link_id, name, judge)
        self.bell.ring([inbox_id])
        return inbox_id


def _sees(who: Who, right: Right, site_id: int) -> bool:
    """A program's token may have this right without that to look."""
    return who.may(Right.LOOK, site_id) or who.may(right, site_id)


def _decision(
    asked: Asked,
    who: Who,
    why: str,
    side: Side,
    rating: RatingOnFile,
    values: Mapping[str, Value],
) -> Decision:
    return Decision(asked, who.name, why, side, values, seen=rating.shown)


def _checked(why: str) -> str:
    words = " ".join(why.split())
    if not words:
        raise BadChoice(said("say why: it goes into the history"))
    if len(words) > MAX_WHY:
        raise NotPossible(
            said(
                "the reason has %(num)s characters, and %(most)s at most",
                num=len(words),
                most=MAX_WHY,
            )
        )
    return words
