"""What people decide, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sync_worker.core.ports.decisions import HeldOne, Judge, PastLine, RatingOnFile
from sync_worker.core.values import (
    Change,
    HistoryEntry,
    HistoryKind,
    Side,
)
from sync_worker.core.values.decisions import (
    LINES_LOOKED_AT,
    SETTLES,
    decision_in,
    decision_name,
    delivery_of,
    is_erased_key,
    shown_on_file,
)
from tests.twins.memory_links import contact_of, entity_of
from tests.twins.memory_state import InboxRow, MemoryState


@dataclass(frozen=True, slots=True)
class MemoryDecisions:
    """Implements ports.Decisions. Lines of the history have no numbers here but their places."""

    state: MemoryState

    def rating(self, link_id: int) -> RatingOnFile | None:
        row = self.state.link_rows.get(link_id)
        if row is None:
            return None
        link, key = row.link, row.link.key
        lines = [
            (place, entry)
            for place, (owner, _, entry) in enumerate(self.state.history, start=1)
            if owner == link_id
        ][-LINES_LOOKED_AT:]
        rows = self.state.of_link(link_id)
        held = {one.delivery.id: one.delivery.reason for one in rows if one.is_held}
        entries = [entry for _, entry in reversed(lines)]
        return RatingOnFile(
            link_id,
            self.state.site_rows[key.site_id],
            link.state,
            entity_of(self.state, key),
            contact_of(self.state, key),
            version=lines[-1][0] if lines else 0,
            shown=shown_on_file(link, entries, [*held.values()]),
            deciding=next((one.delivery.id for one in rows if is_deciding(one)), None),
            held=held,
            is_erased=is_erased_key(key),
        )

    def line(self, number: int) -> PastLine | None:
        if not 0 < number <= len(self.state.history):
            return None
        link_id, _, entry = self.state.history[number - 1]
        beside = [entry]
        if entry.intent_id:
            beside = [
                other
                for owner, _, other in self.state.history
                if owner == link_id and other.intent_id == entry.intent_id
            ]
        site_id = self.state.link_rows[link_id].link.key.site_id
        rating, later = self.rating(link_id), self._later(number)
        newest = 0 if rating is None else rating.version
        return PastLine(number, link_id, site_id, entry, beside, newest, later)

    def _later(self, number: int) -> int | None:
        link_id, _, entry = self.state.history[number - 1]
        later = [
            place
            for place, (owner, _, other) in enumerate(self.state.history, start=1)
            if place > number
            and owner == link_id
            and other.attribute == entry.attribute
            and other.what in SETTLES
            and (entry.inbox_id is None or other.inbox_id != entry.inbox_id)
        ]
        return max(later, default=None)

    def held(self, inbox_ids: Sequence[int]) -> list[HeldOne]:
        rows = [self.state.rows[one] for one in sorted(inbox_ids) if one in self.state.rows]
        return [self._held(row) for row in rows if row.is_held]

    def _held(self, row: InboxRow) -> HeldOne:
        site = self.state.site_of(row.delivery.new)
        one = row.delivery
        return HeldOne(one.id, site.id if site else None, one.link_id, one.reason)

    def decide(self, link_id: int, name: str, judge: Judge) -> int:
        rating, named = self.rating(link_id), decision_name(name)
        source = "" if rating is None else rating.site.instance_id
        known = self.state.dedupe.get((Side.WIX, source, named))
        if known is not None:
            return known
        decision, link = judge(rating), self.state.link_rows[link_id].link
        new = delivery_of(decision, named, source, link)
        row = self.state.rows[self.state.store(new).inbox_id]
        row.delivery = replace(row.delivery, link_id=link_id, site_id=link.key.site_id)
        return row.delivery.id

    def let_go_on(self, link_id: int, reasons: Sequence[str], by: str, why: str) -> list[int]:
        rows = [
            row
            for row in self.state.of_link(link_id)
            if row.is_held and row.delivery.reason in reasons
        ]
        if all(row.delivery.reason != reasons[0] for row in rows):
            return []
        for row in rows:
            new, reason = row.delivery.new, f"{row.delivery.reason}, by {by}"
            line = HistoryEntry(HistoryKind.REPLAY, new.side, "", reason=reason, actor=by)
            line = replace(line, remote_id=new.remote_id, inbox_id=row.delivery.id)
            self.state.history.append((link_id, self.state.now(), line))
            self.state.release_row(row.delivery.id)
        return [row.delivery.id for row in rows]


def is_deciding(row: InboxRow) -> bool:
    """Whether it is a decision on its way that asks for writes."""
    new = row.delivery.new
    decision = decision_in(new.payload) if new.change is Change.DECIDE else None
    return row.is_open and decision is not None and decision.asked.writes
