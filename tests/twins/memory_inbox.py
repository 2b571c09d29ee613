"""The inbox in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from sync_worker.core.hold_reasons import KEYLESS, STANDS_BY, UNTIL_DELETED
from sync_worker.core.ports.inbox import (
    CROWD,
    ERASED,
    GATHERED,
    MAX_DEATHS,
    RATE_LIMITED,
    RATE_LIMITED_AT_ONCE,
    SITE_REMOVED,
    TRACK_AFTER,
    UNKNOWN_SITE,
    WORKER_DIED,
    Closing,
    Look,
    Stored,
    ends_with_site,
)
from sync_worker.core.values import (
    Change,
    Delivery,
    HistoryKind,
    InboxState,
    IntentState,
    NewDelivery,
    Side,
    Site,
)
from sync_worker.ledger.statements.due import in_turns, share_of_oldest, share_of_ripe
from tests.twins.memory_directory import MemoryDirectory
from tests.twins.memory_erasure import erase_without_site, names_erased_without_site
from tests.twins.memory_state import (
    InboxRow,
    MemoryState,
    is_same_record,
    state_of_waiting,
)

GIVEN_UP_SECONDS = 48 * 3600.0
MAX_PAUSE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class MemoryInbox:
    """Implements ports.Inbox."""

    state: MemoryState

    def store(self, delivery: NewDelivery) -> Stored:
        return self.state.store(delivery)

    def open_delivery(self, inbox_id: int) -> tuple[Delivery, Site | None] | None:
        row = self.state.rows.get(inbox_id)
        if row is None or not row.is_open:
            return None
        is_beside_held = any(self._held_beside(row.delivery))
        is_crowded = row.delivery.is_edit and len(self._waiting_edits(row.delivery)) > CROWD
        site, new, located = self.state.site_of(row.delivery.new), row.delivery.new, None
        if site is not None:
            located = MemoryDirectory(self.state).locate(site.id, new.side, new.remote_id)
        delivery = replace(
            row.delivery, is_beside_held=is_beside_held, is_crowded=is_crowded, located=located
        )
        return delivery, site

    def _held_beside(self, delivery: Delivery) -> Iterator[InboxRow]:
        for row in self.state.rows.values():
            is_other = row.is_held and row.delivery.id != delivery.id
            if is_other and is_same_record(row.delivery.new, delivery.new):
                yield row

    def _waiting_edits(self, delivery: Delivery) -> list[InboxRow]:
        """The newest first."""
        edits = [
            row
            for row in self.state.rows.values()
            if row.delivery.state is InboxState.NEW
            and row.delivery.is_edit
            and is_same_record(row.delivery.new, delivery.new)
        ]
        return sorted(edits, key=lambda row: _age(row.delivery), reverse=True)

    def _asks_for_a_write(self, row: InboxRow) -> bool:
        """Nothing else asks again what became of a write of unknown outcome."""
        link_id = row.delivery.link_id
        return link_id is not None and any(
            self.state.intents[name].state is IntentState.OPEN
            for name, owner in self.state.intent_links.items()
            if owner == link_id
        )

    def gather(self, delivery: Delivery) -> Delivery:
        edits = [one for one in self._waiting_edits(delivery) if not self._asks_for_a_write(one)]
        if not edits:
            return delivery
        kept = edits.pop(0)
        for row in edits:
            self.close(
                row.delivery.id, Closing(InboxState.SUPERSEDED, f"{GATHERED}{kept.delivery.id}")
            )
            row.delivery = replace(row.delivery, new=replace(row.delivery.new, payload={}))
        kept.delivery = replace(kept.delivery, must_read=True)
        return replace(kept.delivery, is_beside_held=delivery.is_beside_held)

    def release_beside(self, delivery: Delivery) -> list[int]:
        beside = [row.delivery for row in self._held_beside(delivery)]
        stands_by = STANDS_BY
        if delivery.new.change == Change.DELETE:
            stands_by -= UNTIL_DELETED
        released = [one.id for one in beside if one.reason not in stands_by]
        for inbox_id in released:
            self.state.release_delivery(inbox_id)
        return released

    def forget_content(self, inbox_id: int) -> None:
        self.state.forget_content(self.state.rows[inbox_id])

    def put_back(self, inbox_ids: Sequence[int]) -> None:
        for inbox_id in inbox_ids:
            row = self.state.rows[inbox_id]
            if row.delivery.state is InboxState.TAKEN:
                row.delivery = replace(row.delivery, state=InboxState.HELD)

    def close(
        self,
        inbox_id: int,
        closing: Closing,
        *,
        hold_key: str | None = None,
        names: str | None = None,
    ) -> Closing:
        row = self.state.rows[inbox_id]
        site = self.state.site_of(row.delivery.new)
        if names is not None and site is not None and self.state.is_erased(site.id, names):
            closing = ERASED
        # What another worker holds of somebody erased goes, too.
        if closing == ERASED:
            self.state.erase_row(row)
        elif row.is_open:
            row.delivery = replace(row.delivery, state=closing.state, reason=closing.reason)
            row.hold_key = hold_key
        return closing

    def hold(self, inbox_ids: Sequence[int], reason: str, *, hold_key: str | None = None) -> None:
        for inbox_id in inbox_ids:
            row = self.state.rows[inbox_id]
            if reason == SITE_REMOVED.reason and row.is_open and ends_with_site(row.delivery.new):
                self.close(inbox_id, SITE_REMOVED)
                row.delivery = replace(row.delivery, new=replace(row.delivery.new, payload={}))
            # Another worker has ended or held it meanwhile: as it stands, it stands for itself.
            elif row.is_open:
                self.close(inbox_id, Closing(InboxState.HELD, reason), hold_key=hold_key)
                self._stand_as_one(row)

    def _stand_as_one(self, row: InboxRow) -> None:
        """The newest word takes the place of the others; a late one joins what waits alike."""
        if not _is_keyless_word(row):
            return
        beside = [one for one in self._held_beside(row.delivery) if _is_keyless_word(one)]
        newest = max([row, *beside], key=lambda one: _age(one.delivery))
        if newest is row:
            self._gather_into(row, beside)
        elif (newest.delivery.reason, newest.hold_key) == (row.delivery.reason, row.hold_key):
            self._gather_into(newest, [row])

    def _gather_into(self, kept: InboxRow, others: list[InboxRow]) -> None:
        name = f"{GATHERED}{kept.delivery.id}"
        for row in others:
            ended = replace(row.delivery, state=InboxState.SUPERSEDED, reason=name)
            row.delivery = replace(ended, new=replace(ended.new, payload={}))
            row.hold_key = None
            for one in self.state.rows.values():
                if one.delivery.reason == f"{GATHERED}{row.delivery.id}":
                    one.delivery = replace(one.delivery, reason=name)

    def hold_for_site(self, inbox_id: int, delivery: NewDelivery) -> Closing | None:
        if names_erased_without_site(self.state, delivery):
            return self.close(inbox_id, ERASED)
        self.close(inbox_id, UNKNOWN_SITE)
        if self.state.site_of(delivery) is not None or self.state.follow_account(delivery.source):
            return None
        return UNKNOWN_SITE

    def erase_without_site(self, request: Delivery) -> bool:
        if self.state.site_of(request.new) is not None:
            return False
        erase_without_site(self.state, request)
        return True

    def defer(
        self,
        inbox_ids: Sequence[int],
        delay_seconds: float | None,
        reason: str,
        *,
        is_failure: bool,
    ) -> None:
        now = self.state.now()
        for inbox_id in inbox_ids:
            row = self.state.rows[inbox_id]
            if not row.is_open:
                continue
            if is_failure and now - row.received_at > GIVEN_UP_SECONDS:
                self.hold([inbox_id], "attempts_exhausted")
                continue
            attempts = row.delivery.attempts + is_failure
            row.delivery = replace(
                row.delivery,
                state=state_of_waiting(row.delivery, row.delivery.state),
                attempts=attempts,
                reason=reason,
                suspected_crashes=0,
            )
            if delay_seconds is None:
                row.next_attempt_at = now + _pause(max(attempts - 1, 0))
            else:
                row.next_attempt_at = now + delay_seconds

    def wait_for_slot(self, inbox_id: int, seconds: float) -> None:
        row = self.state.rows[inbox_id]
        if row.delivery.state is InboxState.NEW:
            row.delivery = replace(row.delivery, reason=RATE_LIMITED)
            row.next_attempt_at = self.state.now() + seconds

    def due(self, limit: int, queued: Collection[int] = ()) -> list[int]:
        now = self.state.now()
        due = {
            inbox_id: row
            for inbox_id, row in self.state.rows.items()
            if row.is_open and row.next_attempt_at <= now and inbox_id not in queued
        }
        waiting = _waiting_for_a_budget(due)
        ready = [inbox_id for inbox_id in due if inbox_id not in set().union(*waiting.values())]
        first_waiting = [
            inbox_id for ids in waiting.values() for inbox_id in ids[:RATE_LIMITED_AT_ONCE]
        ]
        share = share_of_ripe(limit)
        oldest = share_of_oldest(share)
        ready = ready[:oldest] + self._in_turns(ready[oldest:])
        rung = [*ready[:share], *first_waiting, *ready[share:]][:limit]
        for inbox_id in rung:
            row = due[inbox_id]
            row.next_attempt_at = now + 10.0
            signs = row.delivery.suspected_crashes
            row.delivery = replace(
                row.delivery, suspected_crashes=max(signs, min(signs + 1, TRACK_AFTER))
            )
        return sorted(rung)

    def _in_turns(self, inbox_ids: list[int]) -> list[int]:
        """Who was rung for less is first."""
        rung = Counter(
            row.delivery.new.source
            for row in self.state.rows.values()
            if row.next_attempt_at > self.state.now()
        )
        by_source: dict[str, list[int]] = {}
        for inbox_id in inbox_ids:
            by_source.setdefault(self.state.rows[inbox_id].delivery.new.source, []).append(inbox_id)
        return in_turns(by_source[source] for source in sorted(by_source, key=rung.__getitem__))

    def begin_look(self, delivery: Delivery) -> Look:
        row, deaths = self.state.rows[delivery.id], delivery.suspected_crashes - TRACK_AFTER
        known = row.delivery
        is_another = known.suspected_crashes != delivery.suspected_crashes
        is_early = row.next_attempt_at > self.state.now() + 10.0
        if not row.is_open or is_another or is_early:
            return Look.EARLY
        row.delivery = replace(known, attempts=known.attempts + (deaths > 0))
        if deaths >= MAX_DEATHS:
            self.close(delivery.id, WORKER_DIED)
            return Look.GIVEN_UP
        row.delivery = replace(row.delivery, suspected_crashes=known.suspected_crashes + 1)
        row.next_attempt_at = self.state.now() + max(20.0, _pause(deaths))
        return Look.BEGUN

    def end_look(self, delivery: Delivery, *, is_busy: bool = False) -> None:
        row = self.state.rows[delivery.id]
        if not row.is_open or row.delivery.suspected_crashes <= TRACK_AFTER:
            return
        row.delivery = replace(row.delivery, suspected_crashes=0)
        if is_busy:
            row.delivery = replace(
                row.delivery,
                suspected_crashes=delivery.suspected_crashes,
                attempts=delivery.attempts,
            )
        row.next_attempt_at = self.state.now() + 10.0

    def release_held(
        self,
        site_id: int | None,
        *,
        hold_key: str | None = None,
        inbox_ids: Sequence[int] | None = None,
    ) -> list[int]:
        rows = list(self.state.rows.values())
        if site_id is not None:
            rows = self.state.rows_of(site_id)
        if inbox_ids is not None:
            named = [row for row in rows if row.delivery.id in inbox_ids]
            released = [row.delivery.id for row in named if not row.is_open]
        else:
            released = [row.delivery.id for row in rows if row.is_held and row.hold_key == hold_key]
        for inbox_id in released:
            if inbox_ids is None:
                self.state.release_delivery(inbox_id)
            else:
                self.state.release_row(inbox_id)
        return released

    def evidence(self, site_id: int, side: Side, remote_id: str, revision: int) -> Delivery | None:
        for row in self.state.rows.values():
            new = row.delivery.new
            if (new.side, new.remote_id, new.revision) != (side, remote_id, revision):
                continue
            if self._is_of(row, site_id) and not row.delivery.reason.startswith(GATHERED):
                return row.delivery
        return None

    def was_released(self, delivery: Delivery, reason: str) -> bool:
        return any(
            (entry.what, entry.inbox_id) == (HistoryKind.REPLAY, delivery.id)
            and entry.reason.startswith(f"{reason}, by ")
            for _, _, entry in self.state.history
        )

    def held_among(self, site_id: int, side: Side, remote_ids: Sequence[str]) -> frozenset[str]:
        held = {
            row.delivery.new.remote_id
            for row in self.state.rows.values()
            if row.is_held and row.delivery.new.side is side and self._is_of(row, site_id)
        }
        return frozenset(held & set(remote_ids))

    def _is_of(self, row: InboxRow, site_id: int) -> bool:
        site = self.state.site_of(row.delivery.new)
        return site is not None and site.id == site_id


def _is_keyless_word(row: InboxRow) -> bool:
    one = row.delivery
    is_word = one.new.change is Change.UPSERT and not one.new.privacy and one.link_id is None
    return is_word and row.is_held and one.reason in KEYLESS


def _age(delivery: Delivery) -> tuple[int, int]:
    new = delivery.new
    return new.revision or new.sequence or 0, delivery.id


def _pause(doublings: int) -> float:
    return min(5.0 * 2.0**doublings, MAX_PAUSE_SECONDS)


def _waiting_for_a_budget(rows: dict[int, InboxRow]) -> dict[tuple[Side, str], list[int]]:
    """By source."""
    waiting: dict[tuple[Side, str], list[int]] = {}
    for inbox_id, row in rows.items():
        if row.delivery.reason == RATE_LIMITED:
            source = (row.delivery.new.side, row.delivery.new.source)
            waiting.setdefault(source, []).append(inbox_id)
    return waiting
