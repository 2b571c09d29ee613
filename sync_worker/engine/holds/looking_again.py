"""What a run makes of deliveries that were held before it, for a person above all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sync_worker.core.errors import (
    Away,
    Held,
    LeaseLost,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
)
from sync_worker.core.hold_reasons import CONTENT_REPLACED, LINK_HELD, STOPPED
from sync_worker.core.plan import Hold
from sync_worker.core.values import Change, Delivery, Link, LinkState, Operation, Side, Slot
from sync_worker.engine.deciding.decided import Decided

TOO_COSTLY = "too_costly"
# At records of which something was held, in one run: each look may cost a remote call, and a
# stranger may have made many.
MAX_LOOKS = 5


@dataclass(slots=True)
class Holds:
    """What was held of a link as its run began, and what a remote has refused since.

    ``is_frozen``: a person has to release the link, the run may only look. ``before``: deliveries
    taken up to look again; ``standing_by``: those that only a person releases; ``left``: ids of
    those that no look came of, held as before. ``refused``: writes that would only be refused
    again; ``conflicts``: slots whose record a write found changed. ``decided``: what a person has
    decided meanwhile, and is in hand; ``settled``: decisions of which an earlier run had written.
    ``of_new_records``: ids of those standing by whose records nobody has looked at yet.
    """

    is_frozen: bool = False
    before: list[Delivery] = field(default_factory=list)
    standing_by: list[Delivery] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    refused: dict[tuple[Slot, Operation], Hold] = field(default_factory=dict)
    conflicts: set[Slot] = field(default_factory=set)
    decided: Decided | None = None
    settled: set[int] = field(default_factory=set)
    of_new_records: set[int] = field(default_factory=set)

    @property
    def is_for_a_person(self) -> bool:
        """Whether it is a person's to let the link go on, whatever both sides show meanwhile.

        One has to put something back, or has stopped it.
        """
        return any(one.reason in (CONTENT_REPLACED, STOPPED) for one in self.standing_by)

    def note(self, delivery: Delivery, link: Link) -> bool:
        """Remember a delivery that was held; whether it is held still."""
        if delivery.was_held or self._has_outlived(delivery, link):
            self.before.append(delivery)
            return False
        if delivery.stands_by:
            self.standing_by.append(delivery)
        return delivery.stands_by

    def _has_outlived(self, delivery: Delivery, link: Link) -> bool:
        """Whether a person let the link go on before a run could hold it beside: for itself it
        waits for nobody.
        """
        is_beside = delivery.stands_by and delivery.reason == LINK_HELD
        return is_beside and link.state is not LinkState.HELD and not self.is_frozen

    def decide(self, decided: Decided | None) -> None:
        """A person's decision is in hand, or not any more."""
        self.decided = decided

    def leave(self, delivery: Delivery) -> None:
        """It stays held as it was, and tells this run nothing."""
        self.left.add(delivery.id)
        self.before = [one for one in self.before if one.id != delivery.id]


def in_order(deliveries: Sequence[Delivery]) -> tuple[Delivery, ...]:
    """As a run takes them in: the news, then what was held, the newest first."""
    news = [delivery for delivery in deliveries if not delivery.was_held]
    held = [delivery for delivery in deliveries if delivery.was_held]
    return (*news, *reversed(held))


def left_for_later(deliveries: Sequence[Delivery]) -> set[int]:
    """Ids of what was held that a later run looks at: the newest have their turn now.

    A request to erase never waits for its turn.
    """
    held = [one for one in in_order(deliveries) if one.was_held and not one.new.privacy]
    records = list(dict.fromkeys(record_of(one) for one in held))
    have_their_turn = set(records[:MAX_LOOKS])
    return {one.id for one in held if record_of(one) not in have_their_turn}


def record_of(delivery: Delivery) -> tuple[Side, str]:
    """Of which record it tells: one look serves for all that was held of one."""
    return delivery.new.side, delivery.new.remote_id


def is_only_a_hint(delivery: Delivery) -> bool:
    """Whether it was held, and asks for no more than a look at its record.

    After a merge of contacts it also tells for whom its record was on file.
    """
    new = delivery.new
    is_plain = new.change is Change.UPSERT and not new.privacy
    return delivery.was_held and is_plain and "merged_from" not in new.payload


def is_of_its_record(error: SyncError) -> bool:
    """Whether a look at what was held failed for a reason of that record, not of the run."""
    if isinstance(error, LeaseLost | RateLimited | Away):
        return False
    if isinstance(error, Permanent) and error.reason == TOO_COSTLY:
        return False
    return isinstance(error, Held | Permanent | Transient)
