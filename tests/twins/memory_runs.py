"""The sweeps' part of the ledger in memory: the same contract as SqlRuns, over a MemoryLedger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sync_worker.core.errors import LeaseLost
from sync_worker.core.hold_keys import address_grave, contact_grave
from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.sweep_values import (
    Absences,
    Finding,
    Listed,
    Mark,
    OnFile,
    Queued,
    RunKind,
    Sweep,
    delivery_source,
    next_since,
    place_of,
)
from sync_worker.core.values import (
    InboxState,
    Lease,
    Link,
    LinkState,
    NewDelivery,
    RatingKey,
    Side,
    Site,
)
from tests.twins.memory_ledger import OPEN, MemoryLedger

RUN_LEASE_SECONDS = 20.0


@dataclass(slots=True)
class _RunRow:
    sweep: Sweep
    lease_until: float
    started_at: float
    state: str = "running"
    listed: dict[tuple[Side, str], Listed] = field(default_factory=dict)


@dataclass(slots=True)
class MemoryRuns:
    """Implements runs.Sweeps over a MemoryLedger."""

    ledger: MemoryLedger
    runs: list[_RunRow] = field(default_factory=list)
    missing: dict[tuple[int, Side, str], int] = field(default_factory=dict)
    allowed: dict[int, tuple[int, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger.allowed, self.ledger.forget_listed = self.allowed, self._forget_listed

    def _forget_listed(self, site_id: int, which: Callable[[Listed], bool]) -> None:
        for row in [one for one in self.runs if one.sweep.site_id == site_id]:
            for place in [place for place, one in row.listed.items() if which(one)]:
                del row.listed[place]
                self.missing.pop((site_id, *place), None)

    # -- the run

    def begin(self, site_id: int, kind: RunKind) -> Sweep | None:
        now, is_poll = self.ledger.now(), kind is RunKind.POLL
        mine = [row for row in self.runs if row.sweep.site_id == site_id]
        for row in mine:
            is_stale = row.lease_until <= now and row.started_at < now - 24 * 3600
            is_in_the_way = row.sweep.kind is RunKind.POLL and not is_poll
            if row.state == "running" and (is_stale or is_in_the_way):
                row.state = "abandoned"
        for row in mine:
            if row.state != "running":
                continue
            if row.lease_until > now or (row.sweep.kind is not RunKind.POLL and is_poll):
                return None
            row.sweep = replace(row.sweep, fence=row.sweep.fence + 1)
            row.lease_until = now + RUN_LEASE_SECONDS
            return replace(row.sweep, is_resumed=True)
        done = [row for row in mine if row.state == "done"]
        last = next((row for row in reversed(done) if row.sweep.kind is RunKind.POLL), None)
        had_one = any(row.sweep.kind in (RunKind.BASELINE, RunKind.SWEEP) for row in done)
        first = RunKind.BASELINE if kind is RunKind.SWEEP and not had_one else kind
        sweep = Sweep(len(self.runs) + 1, site_id, first, 1)
        if is_poll and last is not None:
            sweep = replace(
                sweep, since=next_since(last.sweep, datetime.fromtimestamp(last.started_at, UTC))
            )
        self.runs.append(_RunRow(sweep, now + RUN_LEASE_SECONDS, now))
        return sweep

    def _row(self, sweep: Sweep) -> _RunRow:
        row = self.runs[sweep.id - 1]
        if row.state != "running" or row.sweep.fence != sweep.fence:
            raise LeaseLost
        row.lease_until = self.ledger.now() + RUN_LEASE_SECONDS
        return row

    def save(self, sweep: Sweep, listed: Sequence[Listed] = ()) -> None:
        row = self._row(sweep)
        row.sweep = sweep
        for one in listed:
            if not self._is_erased(sweep.site_id, one):
                row.listed.setdefault(
                    (one.side, one.remote_id), self._without_address(sweep.site_id, one)
                )

    def _is_erased(self, site_id: int, row: Listed) -> bool:
        contacts = {
            row.key.contact_id if row.key else None,
            row.record.person.contact_id if row.record else None,
        }
        names = [
            (row.side, row.remote_id),
            *((Side.WIX, contact_grave(one)) for one in contacts if one),
        ]
        return any(self._has_privacy_grave(site_id, *name) for name in names)

    def _without_address(self, site_id: int, row: Listed) -> Listed:
        email = row.record.person.email if row.record is not None and row.key is None else None
        if email and self._has_privacy_grave(site_id, Side.EXTERNAL, address_grave(email)):
            return replace(row, record=None, must_read=True)
        return row

    def _has_privacy_grave(self, site_id: int, side: Side, name: str) -> bool:
        buried = self.ledger.locate(site_id, side, name).buried
        return buried is not None and buried.privacy

    def renew_run(self, sweep: Sweep) -> None:
        self._row(sweep)

    def restart_listing(self, sweep: Sweep, side: Side) -> None:
        row = self._row(sweep)
        row.sweep = replace(sweep, page=None)
        row.listed = {place: one for place, one in row.listed.items() if one.side is not side}

    def release_run(self, sweep: Sweep) -> None:
        row = self.runs[sweep.id - 1]
        if row.sweep.fence == sweep.fence:
            row.lease_until = 0.0

    def end(self, sweep: Sweep, state: str = "done") -> None:
        row = self._row(sweep)
        row.sweep, row.state, row.lease_until = sweep, state, 0.0
        row.listed.clear()

    # -- a page against the ledger

    def on_file(self, site: Site, side: Side, remote_ids: Sequence[str]) -> Mapping[str, OnFile]:
        found: dict[str, OnFile] = {}
        for remote_id in remote_ids:
            known = self._on_file(site, side, remote_id)
            if known != OnFile():
                found[remote_id] = known
        return found

    def _on_file(self, site: Site, side: Side, remote_id: str) -> OnFile:
        source = delivery_source(site, side)
        states = {
            row.delivery.state
            for row in self.ledger.rows.values()
            if (row.delivery.new.side, row.delivery.new.source, row.delivery.new.remote_id)
            == (side, source, remote_id)
        }
        known = OnFile(
            is_held=InboxState.HELD in states,
            is_awaited=not states.isdisjoint(OPEN),
            is_shadowed=side is Side.EXTERNAL
            and any(
                remote_id in row.link.shadowed
                for row in self.ledger.link_rows.values()
                if row.link.key.site_id == site.id
            ),
        )
        link_id = self.ledger.by_remote.get((site.id, side, remote_id))
        grave = self.ledger.graves.get((site.id, side, remote_id))
        if link_id is None:
            return (
                known if grave is None else replace(known, is_buried=True, revision=grave.revision)
            )
        link = self.ledger.link_rows[link_id].link
        slot, record = next(
            (slot, one) for slot, one in link.records.items() if one.remote_id == remote_id
        )
        values = {
            name: value
            for name, base in link.bases.items()
            if slot.attribute in ("", name) and (value := base.on(side)) is not None
        }
        return replace(
            known, is_linked=True, revision=record.revision, state=record.state, values=values
        )

    # -- absence

    def note_absences(self, sweep: Sweep, side: Side) -> Absences:
        row = self._row(sweep)
        ids = {one for at, one in self.ledger.records_on_file() if at is side}
        shown = {
            one
            for one in ids
            if (side, one) in row.listed and row.listed[side, one].change != "delete"
        }
        absences = Absences(len(ids), len(shown), len(ids) - len(shown))
        if self._is_too_little(absences):
            return replace(absences, is_refused=True)
        unseen = ids - shown
        if not sweep.is_dry:
            for place in [
                at for at in self.missing if at[:2] == (sweep.site_id, side) and at[2] not in unseen
            ]:
                del self.missing[place]
            for one in unseen:
                self.missing.setdefault((sweep.site_id, side, one), sweep.id)
        due = [
            one
            for one in sorted(unseen)
            if self.missing.get((sweep.site_id, side, one), sweep.id) < sweep.id
        ]
        for one in due:
            key = self.ledger.link_rows[self.ledger.by_remote[sweep.site_id, side, one]].link.key
            row.listed.setdefault(
                (side, one), Listed(side, one, Mark.MISSING, key, change="delete", must_read=True)
            )
        return replace(absences, due=len(due))

    def _is_too_little(self, absences: Absences) -> bool:
        return absences.shown * 2 < absences.known

    def next_missing(self, sweep: Sweep, limit: int) -> list[Listed]:
        rows = [one for one in self.runs[sweep.id - 1].listed.values() if one.mark is Mark.MISSING]
        return sorted(rows, key=lambda one: one.remote_id)[:limit]

    def settle_missing(self, sweep: Sweep, gone: Sequence[Listed], there: Sequence[Listed]) -> None:
        self._mark(sweep, gone, Mark.OPEN)
        self._mark(sweep, there, Mark.IN_STEP)

    def _mark(self, sweep: Sweep, rows: Sequence[Listed], mark: Mark) -> None:
        row = self._row(sweep)
        for one in rows:
            if (listed := row.listed.get((one.side, one.remote_id))) is not None:
                kept = None if mark is Mark.DONE else listed.record
                row.listed[one.side, one.remote_id] = replace(listed, mark=mark, record=kept)

    def brake(self, sweep: Sweep, side: Side) -> int:
        row = self._row(sweep)
        deletes = [
            one
            for one in row.listed.values()
            if one.side is side and one.change == "delete" and one.mark is Mark.OPEN
        ]
        if len(deletes) <= self.ledger.deletes_most(sweep.site_id):
            return 0
        for one in deletes:
            row.listed[one.side, one.remote_id] = replace(one, hold="delete_brake")
        return len(deletes)

    # -- findings

    def next_findings(
        self, sweep: Sweep, limit: int, after: tuple[int, str, str] | None = None
    ) -> list[Finding]:
        rows = sorted(
            self.runs[sweep.id - 1].listed.values(), key=lambda one: (str(one.side), one.remote_id)
        )
        found = [Finding(None, (one,)) for one in rows if one.mark is Mark.OPEN and one.key is None]
        keys = {one.key: None for one in rows if one.mark is Mark.OPEN and one.key is not None}
        found += [
            Finding(
                key,
                tuple(
                    one for one in rows if one.key == key and one.mark in (Mark.OPEN, Mark.HIDDEN)
                ),
            )
            for key in keys
        ]
        found.sort(key=place_of)
        return [one for one in found if after is None or place_of(one) > after][:limit]

    def leave(self, sweep: Sweep, findings: Sequence[Finding]) -> None:
        self._mark(sweep, [row for finding in findings for row in finding.rows], Mark.LEFT)

    def is_shown(self, sweep: Sweep, side: Side, remote_id: str) -> bool:
        row = self.runs[sweep.id - 1].listed.get((side, remote_id))
        return row is not None and row.change != "delete"

    def count_marks(self, sweep: Sweep) -> Mapping[Mark, int]:
        rows = self.runs[sweep.id - 1].listed.values()
        return {mark: count for mark in Mark if (count := sum(one.mark is mark for one in rows))}

    # -- to the inbox

    def queue(
        self, sweep: Sweep, deliveries: Sequence[tuple[Finding, Sequence[NewDelivery]]]
    ) -> list[Queued]:
        self._row(sweep)
        queued = [self._queue(finding, told) for finding, told in deliveries]
        self._mark(sweep, [row for finding, _ in deliveries for row in finding.rows], Mark.DONE)
        return queued

    def _queue(self, finding: Finding, deliveries: Sequence[NewDelivery]) -> Queued:
        ids: list[int] = []
        held, link_id = "", None
        for row, new in zip(finding.rows, deliveries, strict=True):
            inbox_id, reason = self._put(finding.key, row, new)
            link_id = self.ledger.rows[inbox_id].delivery.link_id
            held = held or reason
            if not reason:
                ids.append(inbox_id)
        return Queued(tuple(ids), link_id, held="" if ids else held)

    def _put(self, key: RatingKey | None, row: Listed, new: NewDelivery) -> tuple[int, str]:
        stored = self.ledger.store(new)
        kept = self.ledger.rows[stored.inbox_id]
        if key is not None and not self.ledger.is_erased(key):
            self._give_key(key, new, stored.inbox_id)
        if not stored.is_duplicate:
            kept.delivery = replace(kept.delivery, must_read=row.must_read)
            kept.next_attempt_at = self.ledger.now() + 60.0
            if row.hold:
                kept.delivery = replace(kept.delivery, state=InboxState.HELD, reason=row.hold)
            return stored.inbox_id, row.hold
        if kept.delivery.state is InboxState.HELD:
            return stored.inbox_id, kept.delivery.reason
        if kept.delivery.state not in OPEN:
            self.ledger.release_held(None, inbox_ids=[stored.inbox_id])
            kept.next_attempt_at = self.ledger.now() + 60.0
        return stored.inbox_id, ""

    def _give_key(self, key: RatingKey, new: NewDelivery, inbox_id: int) -> None:
        for other, row in list(self.ledger.rows.items()):
            told = row.delivery.new
            is_same = (told.side, told.source, told.remote_id) == (
                new.side,
                new.source,
                new.remote_id,
            )
            waits = row.delivery.state is InboxState.HELD and row.delivery.link_id is None
            if is_same and waits:
                self.ledger.release_held(None, inbox_ids=[other])
                self.ledger.put(other, key)
        self.ledger.put(inbox_id, key)

    # -- looking ahead

    def peek(self, key: RatingKey) -> LeasedLink:
        link_id = self.ledger.by_key.get(key)
        row = self.ledger.link_rows.get(link_id or 0)
        rows = self.ledger._of_link(link_id) if link_id is not None else []
        return LeasedLink(
            Lease(link_id or 0, 0, key.site_id),
            self.ledger.site_rows[key.site_id],
            row.link if row is not None else Link(0, key, 0, LinkState.LIVE, {}, {}),
            next(one for _, one in self.ledger.entities if one.id == key.entity_id),
            self.ledger.contact_of(key),
            row.intent if row is not None else None,
            tuple(one.delivery for one in rows if self.ledger._is_ready(one)),
            self.ledger.now(),
        )

    def allow_deletes(self, site_id: int, count: int) -> None:
        self.allowed[site_id] = (count, self.ledger.now() + 24 * 3600)
