"""What sweeps keep in the ledger, in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sync_worker.core.errors import LeaseLost
from sync_worker.core.hold_keys import address_tombstone, contact_tombstone
from sync_worker.core.hold_reasons import STANDS_BY
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
    next_since,
    place_of,
)
from sync_worker.core.values import (
    Change,
    Entity,
    Lease,
    Link,
    LinkState,
    NewDelivery,
    RatingKey,
    Side,
    Site,
)
from sync_worker.core.values.decisions import DECISION
from tests.twins.memory_findings import on_file_of, put_finding
from tests.twins.memory_links import as_taken, contact_of, deletes_most, entity_of, ready_of_link
from tests.twins.memory_state import MemoryState, RunRow

RUN_LEASE_SECONDS = 20.0
DAY_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class MemorySweeps:
    """Implements ports.Sweeps."""

    state: MemoryState

    # -- the run

    def begin(self, site_id: int, kind: RunKind) -> Sweep | None:
        now = self.state.now()
        mine = [row for row in self.state.runs if row.sweep.site_id == site_id]
        for row in mine:
            if row.state == "running" and self._is_over(row, kind):
                row.state = "abandoned"
        for row in mine:
            if row.state != "running":
                continue
            is_beside_a_sweep = kind is RunKind.POLL and row.sweep.kind is not RunKind.POLL
            if row.lease_until > now or is_beside_a_sweep:
                return None
            row.sweep = replace(row.sweep, fence=row.sweep.fence + 1)
            row.lease_until = now + RUN_LEASE_SECONDS
            return replace(row.sweep, is_resumed=True)
        sweep = self._new(site_id, kind, [row for row in mine if row.state == "done"])
        self.state.runs.append(RunRow(sweep, now + RUN_LEASE_SECONDS, now))
        return sweep

    def is_due(self, site_id: int, kind: RunKind, every_seconds: float) -> bool:
        """As SqlSweeps.is_due, of sweeps."""
        assert kind is RunKind.SWEEP
        mine = [row for row in self.state.runs if row.sweep.site_id == site_id]
        whole = [row for row in mine if row.sweep.kind in (RunKind.BASELINE, RunKind.SWEEP)]
        for row in whole:
            if row.state == "running":
                return row.sweep.kind is kind and row.lease_until <= self.state.now()
        ended = [row.started_at for row in whole if row.state == "done"]
        if not ended:
            return False
        is_old = max(ended) <= self.state.now() - every_seconds
        return is_old or max(ended) < self.state.sweep_since.get(site_id, 0.0)

    def _is_over(self, row: RunRow, kind: RunKind) -> bool:
        """An old one that nobody holds is given up, a dry one where a real one begins, and a poll
        where any other run begins.
        """
        now = self.state.now()
        is_stale = row.lease_until <= now and row.started_at < now - DAY_SECONDS
        if kind not in (RunKind.POLL, RunKind.DRY_RUN) and row.sweep.is_dry:
            return row.lease_until <= now
        return is_stale or (row.sweep.kind is RunKind.POLL and kind is not RunKind.POLL)

    def _new(self, site_id: int, kind: RunKind, done: Sequence[RunRow]) -> Sweep:
        sweep = Sweep(len(self.state.runs) + 1, site_id, kind, 1)
        had_one = any(row.sweep.kind in (RunKind.BASELINE, RunKind.SWEEP) for row in done)
        polls = [row for row in done if row.sweep.kind is RunKind.POLL]
        if kind is RunKind.SWEEP and not had_one:
            return replace(sweep, kind=RunKind.BASELINE)
        if kind is RunKind.POLL and polls:
            began_at = datetime.fromtimestamp(polls[-1].started_at, UTC)
            return replace(sweep, since=next_since(polls[-1].sweep, began_at))
        return sweep

    def _held(self, sweep: Sweep) -> RunRow:
        """The run under its fence, its lease renewed. Raises LeaseLost."""
        row = self._run(sweep)
        if row.state != "running" or row.sweep.fence != sweep.fence:
            raise LeaseLost
        row.lease_until = self.state.now() + RUN_LEASE_SECONDS
        return row

    def _run(self, sweep: Sweep) -> RunRow:
        return self.state.runs[sweep.id - 1]

    def save(self, sweep: Sweep, listed: Sequence[Listed] = ()) -> None:
        row = self._held(sweep)
        row.sweep = sweep
        for shown in listed:
            if not self._is_erased(sweep.site_id, shown):
                kept = self._without_address(sweep.site_id, shown)
                row.listed.setdefault((shown.side, shown.remote_id), kept)

    def _is_erased(self, site_id: int, row: Listed) -> bool:
        contacts = [row.key.contact_id] if row.key else []
        if row.record is not None and row.record.person.contact_id:
            contacts.append(row.record.person.contact_id)
        names = [(row.side, row.remote_id)]
        names += [(Side.WIX, contact_tombstone(contact_id)) for contact_id in contacts]
        return any(self._has_privacy_grave(site_id, *name) for name in names)

    def _without_address(self, site_id: int, row: Listed) -> Listed:
        """An erased address may be a new contact's by now: the record is read again."""
        if row.record is None or row.key is not None or not row.record.person.email:
            return row
        grave = address_tombstone(row.record.person.email)
        if self._has_privacy_grave(site_id, Side.EXTERNAL, grave):
            return replace(row, record=None, must_read=True)
        return row

    def _has_privacy_grave(self, site_id: int, side: Side, name: str) -> bool:
        buried = self.state.grave(site_id, side, name)
        return buried is not None and buried.privacy

    def renew_run(self, sweep: Sweep) -> None:
        self._held(sweep)

    def restart_listing(self, sweep: Sweep, side: Side) -> None:
        row = self._held(sweep)
        row.sweep = replace(sweep, page=None)
        row.listed = {place: shown for place, shown in row.listed.items() if place[0] is not side}

    def release_run(self, sweep: Sweep) -> None:
        row = self._run(sweep)
        if row.sweep.fence == sweep.fence:
            row.lease_until = 0.0

    def end(self, sweep: Sweep, state: str = "done", reason: str = "") -> None:
        row = self._held(sweep)
        row.sweep, row.state, row.lease_until = sweep, state, 0.0
        row.listed.clear()

    # -- a page against the ledger

    def on_file(self, site: Site, side: Side, remote_ids: Sequence[str]) -> Mapping[str, OnFile]:
        known = {name: on_file_of(self.state, site, side, name) for name in remote_ids}
        return {name: found for name, found in known.items() if found != OnFile()}

    def list_held(self, sweep: Sweep) -> None:
        listed = self._held(sweep).listed
        for row in self.state.rows.values():
            new, link = row.delivery.new, self.state.link_rows.get(row.delivery.link_id or 0)
            if link is None or link.link.key.site_id != sweep.site_id:
                continue
            names_none = new.change is Change.DECIDE and new.remote_id.startswith(DECISION)
            if row.is_held and row.delivery.reason not in STANDS_BY and not names_none:
                unlisted = Listed(new.side, new.remote_id, Mark.OPEN, link.link.key, must_read=True)
                listed.setdefault((new.side, new.remote_id), unlisted)

    # -- absence

    def note_absences(self, sweep: Sweep, side: Side) -> Absences:
        row = self._held(sweep)
        ids = self._ids_on_file(sweep.site_id, side)
        shown = {name for name in ids if self.is_shown(sweep, side, name)}
        absences = Absences(len(ids), len(shown), len(ids) - len(shown))
        if self._is_too_little(absences):
            return replace(absences, is_refused=True)
        if not sweep.is_dry:
            self._note_missing(sweep, side, ids - shown)
        due = 0
        for name in sorted(ids - shown):
            mark = self._mark_of_missing(row, side, name)
            if mark is not None:
                link_id = self.state.by_remote[sweep.site_id, side, name]
                key = self.state.link_rows[link_id].link.key
                missing = Listed(side, name, mark, key, change=Change.DELETE, must_read=True)
                row.listed.setdefault((side, name), missing)
                due += 1
        return replace(absences, due=due)

    def _mark_of_missing(self, row: RunRow, side: Side, name: str) -> Mark | None:
        """``None``: no look by id may lead to a delete yet."""
        sweep = row.sweep
        if self.state.missing.get((sweep.site_id, side, name), sweep.id) < sweep.id:
            return Mark.MISSING
        link_id = self.state.by_remote[sweep.site_id, side, name]
        return Mark.UNTOLD if self._was_untold(row, link_id) else None

    def _was_untold(self, row: RunRow, link_id: int) -> bool:
        """Whether nobody would have told of a deletion at a link, and no run has looked since."""
        gap_end = self.state.sweep_since.get(row.sweep.site_id, math.inf)
        if row.sweep.kind is RunKind.BASELINE or row.started_at < gap_end:
            return False
        since = [one for one in self.state.runs if one.started_at >= gap_end]
        mine = [one for one in since if one.sweep.site_id == row.sweep.site_id]
        whole = (RunKind.BASELINE, RunKind.SWEEP)
        if any(one.sweep.kind in whole and one.state == "done" for one in mine):
            return False
        return all(of != link_id or at < gap_end for of, at, _ in self.state.history)

    def _ids_on_file(self, site_id: int, side: Side) -> set[str]:
        return {name for of, at, name in self.state.by_remote if (of, at) == (site_id, side)}

    def _is_too_little(self, absences: Absences) -> bool:
        return absences.shown * 2 < absences.known

    def _note_missing(self, sweep: Sweep, side: Side, unseen: set[str]) -> None:
        """The first run that did not show a record stays on file until one shows it again."""
        for place in list(self.state.missing):
            if place[:2] == (sweep.site_id, side) and place[2] not in unseen:
                del self.state.missing[place]
        for name in unseen:
            self.state.missing.setdefault((sweep.site_id, side, name), sweep.id)

    def next_missing(self, sweep: Sweep, limit: int) -> list[Listed]:
        is_due = (Mark.MISSING, Mark.UNTOLD)
        rows = [row for row in self._run(sweep).listed.values() if row.mark in is_due]
        return sorted(rows, key=lambda row: row.remote_id)[:limit]

    def settle_missing(self, sweep: Sweep, gone: Sequence[Listed], there: Sequence[Listed]) -> None:
        self._mark(sweep, gone, Mark.OPEN)
        self._mark(sweep, there, Mark.IN_STEP)

    def _mark(self, sweep: Sweep, rows: Sequence[Listed], mark: Mark) -> None:
        listed = self._held(sweep).listed
        for row in rows:
            known = listed.get((row.side, row.remote_id))
            if known is not None:
                kept = None if mark is Mark.DONE else known.record
                listed[row.side, row.remote_id] = replace(known, mark=mark, record=kept)

    def brake(self, sweep: Sweep, side: Side) -> int:
        listed = self._held(sweep).listed
        deletes = [
            row
            for row in listed.values()
            if row.side is side and row.change == "delete" and row.mark is Mark.OPEN
        ]
        if len(deletes) <= deletes_most(self.state, sweep.site_id):
            return 0
        for row in deletes:
            listed[row.side, row.remote_id] = replace(row, hold="delete_brake")
        return len(deletes)

    # -- findings

    def next_findings(
        self, sweep: Sweep, limit: int, after: tuple[int, str, str] | None = None
    ) -> list[Finding]:
        listed = self._run(sweep).listed.values()
        rows = sorted(listed, key=lambda row: (str(row.side), row.remote_id))
        is_open = [row for row in rows if row.mark is Mark.OPEN]
        found = [Finding(None, (row,)) for row in is_open if row.key is None]
        for key in dict.fromkeys(row.key for row in is_open if row.key is not None):
            marks = (Mark.OPEN, Mark.HIDDEN)
            mine = tuple(row for row in rows if row.key == key and row.mark in marks)
            found.append(Finding(key, mine))
        found.sort(key=place_of)
        return [finding for finding in found if after is None or place_of(finding) > after][:limit]

    def leave(self, sweep: Sweep, findings: Sequence[Finding]) -> None:
        self._mark(sweep, [row for finding in findings for row in finding.rows], Mark.LEFT)

    def is_shown(self, sweep: Sweep, side: Side, remote_id: str) -> bool:
        row = self._run(sweep).listed.get((side, remote_id))
        return row is not None and row.change != "delete"

    def has_shown_all(self, sweep: Sweep, side: Side, remote_ids: Sequence[str]) -> bool:
        listed = self._run(sweep).listed
        return all((side, remote_id) in listed for remote_id in remote_ids)

    def count_marks(self, sweep: Sweep) -> Mapping[Mark, int]:
        marks = [row.mark for row in self._run(sweep).listed.values()]
        return {mark: marks.count(mark) for mark in Mark if mark in marks}

    # -- to the inbox

    def queue(
        self, sweep: Sweep, deliveries: Sequence[tuple[Finding, Sequence[NewDelivery]]]
    ) -> list[Queued]:
        self._held(sweep)
        queued = [self._queue(finding, told) for finding, told in deliveries]
        self._mark(sweep, [row for finding, _ in deliveries for row in finding.rows], Mark.DONE)
        return queued

    def _queue(self, finding: Finding, deliveries: Sequence[NewDelivery]) -> Queued:
        ids: list[int] = []
        held, link_id = "", None
        for row, new in zip(finding.rows, deliveries, strict=True):
            inbox_id, reason = self._put(finding.key, row, new)
            link_id = self.state.rows[inbox_id].delivery.link_id
            held = held or reason
            if not reason:
                ids.append(inbox_id)
        return Queued(tuple(ids), link_id, held="" if ids else held)

    def _put(self, key: RatingKey | None, row: Listed, new: NewDelivery) -> tuple[int, str]:
        return put_finding(self.state, key, row, new)

    # -- looking ahead

    def peek(self, key: RatingKey, entity: Entity | None = None) -> LeasedLink:
        link_id = self.state.by_key.get(key)
        row = self.state.link_rows.get(link_id or 0)
        return LeasedLink(
            lease=Lease(link_id or 0, 0, key.site_id),
            site=self.state.site_rows[key.site_id],
            link=row.link if row is not None else Link(0, key, 0, LinkState.LIVE, {}, {}),
            entity=entity or entity_of(self.state, key),
            contact=contact_of(self.state, key),
            intent=row.intent if row is not None else None,
            deliveries=tuple(
                as_taken(ready.delivery) for ready in ready_of_link(self.state, link_id)
            ),
            now=self.state.now(),
        )

    def allow_deletes(self, site_id: int, count: int, actor: str = "") -> None:
        self.state.allowed[site_id] = (count, self.state.now() + DAY_SECONDS)
