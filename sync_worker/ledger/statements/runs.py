"""Runs of sweeps with their cursor and counts, under the fence of a lease: table ``run``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from sync_worker.core.errors import LeaseLost
from sync_worker.core.sweep_values import Phase, RunKind, Sweep, next_since
from sync_worker.core.values import SiteState
from sync_worker.ledger.process_tables import listed
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.sql_text import SqlText
from sync_worker.ledger.statements.inbox import words
from sync_worker.ledger.tables import run, site
from sync_worker.ledger.transactions import insert_into, ledger_now

RUN_LEASE_SECONDS = 20.0
# Who asks comes a moment early or late: without it a poll of each minute would be every second one.
EARLY_SECONDS = 5.0
EARLY_SHARE = 0.1
STALE_SECONDS = 24 * 3600.0
RUNNING, DONE, ABANDONED = "running", "done", "abandoned"
WHOLE_KINDS = (str(RunKind.BASELINE), str(RunKind.SWEEP))


def end_what_is_over(connection: Connection, site_id: int, kind: RunKind) -> None:
    """Give up what is of no use to a run of this kind that begins.

    What nobody holds and began over a day ago; a poll, where another run begins; and a dry run that
    nobody holds, where a run begins that is none: its listings kept nothing of what they found.
    """
    is_free = run.c.lease_until <= ledger_now()
    is_over = (run.c.started_at < ledger_now() - STALE_SECONDS) & is_free
    if kind.value in WHOLE_KINDS:
        is_over |= (run.c.kind == str(RunKind.DRY_RUN)) & is_free
    # A poll under way loses its run: the sweep that begins shows all that it would.
    if kind is not RunKind.POLL:
        is_over |= _is_poll()
    over = select(run.c.id, run.c.kind).where(_is_open(site_id), is_over)
    for row in connection.execute(over).all():
        end_run(connection, row.id, ABANDONED, _why_over(row.kind, kind))


def _why_over(old: str, new: RunKind) -> str:
    """Why a run makes room for one that begins."""
    if old == str(RunKind.POLL) and new is not RunKind.POLL:
        return f"a {new} began, which lists all that it would"
    if old == str(RunKind.DRY_RUN):
        return "nobody went on with it, and a run began that writes"
    return "nobody went on with it for a day"


def resume_run(connection: Connection, site_id: int, kind: RunKind) -> Sweep | None:
    """The site's open run, if nobody holds it: a poll goes on as a poll only."""
    is_same = _is_poll() if kind is RunKind.POLL else ~_is_poll()
    is_free = _is_open(site_id) & (run.c.lease_until <= ledger_now()) & is_same
    lease = {"fence": run.c.fence + 1, "lease_until": ledger_now() + RUN_LEASE_SECONDS}
    taken = update(run).where(is_free).values(lease).returning(run)
    row = connection.execute(taken).first()
    return None if row is None else to_sweep(row, is_resumed=True)


def begin_run(connection: Connection, site_id: int, kind: RunKind) -> Sweep | None:
    """A new run; ``None`` if the site has an open one: a unique index lets it have one only."""
    new = _new_sweep(connection, site_id, kind)
    values = {
        "site_id": site_id,
        "kind": str(new.kind),
        "state": RUNNING,
        "fence": new.fence,
        "cursor": cursor_of(new),
        "counts": {},
        "started_at": ledger_now(),
        "lease_until": ledger_now() + RUN_LEASE_SECONDS,
    }
    insert = insert_into(connection, run).values(values).on_conflict_do_nothing()
    row = connection.execute(insert.returning(run)).first()
    return None if row is None else to_sweep(row)


def _new_sweep(connection: Connection, site_id: int, kind: RunKind) -> Sweep:
    new = Sweep(0, site_id, kind, 1)
    is_done = (run.c.site_id == site_id) & (run.c.state == DONE)
    if kind is RunKind.SWEEP:
        # The first complete run of a site is its baseline.
        has_one = has_baseline(connection, site_id)
        return new if has_one else replace(new, kind=RunKind.BASELINE)
    if kind is RunKind.POLL:
        # A poll begins where the last one that was done ended.
        polls = select(run).where(is_done, _is_poll()).order_by(run.c.id.desc()).limit(1)
        last = connection.execute(polls).first()
        if last is not None:
            began_at = datetime.fromtimestamp(last.started_at, UTC)
            return replace(new, since=next_since(to_sweep(last), began_at))
    return new


def hold_run(connection: Connection, sweep: Sweep, values: Mapping[str, Any] | None = None) -> None:
    """Renew the lease and change the run under its fence.

    Raises LeaseLost, and the transaction with it.
    """
    values = {"lease_until": ledger_now() + RUN_LEASE_SECONDS, **(values or {})}
    # The end of the lease does not matter until another process takes the run.
    is_ours = (run.c.id == sweep.id) & (run.c.fence == sweep.fence) & (run.c.state == RUNNING)
    if connection.execute(update(run).where(is_ours).values(**values)).rowcount != 1:
        raise LeaseLost("another process goes on with this run")


def release_run(connection: Connection, sweep: Sweep) -> None:
    """End the lease if it is still ours."""
    is_ours = (run.c.id == sweep.id) & (run.c.fence == sweep.fence)
    connection.execute(update(run).where(is_ours).values(lease_until=0.0))


def end_run(connection: Connection, run_id: int, state: str, reason: str = "") -> None:
    """The run is over, and its listing forgotten. ``reason``: why it was given up."""
    ended = {"state": state, "ended_at": ledger_now(), "lease_until": 0.0}
    ended["reason"] = fitting(reason, run.c.reason)
    connection.execute(update(run).where(run.c.id == run_id).values(**ended))
    connection.execute(delete(listed).where(listed.c.run_id == run_id))


# One transaction at a time counts and begins, or two would both be the last that there is room for.
LOCK_COUNT = SqlText(
    """
-- runs.lock_count: until the end of the transaction
SELECT pg_advisory_xact_lock(x'72617472'::int)
""",
    sqlite="SELECT 1",  # its one writer is this one
)
BY_THEMSELVES = words((RunKind.SWEEP, RunKind.POLL))
UNDER_WAY = SqlText(f"""
-- runs.under_way: sweeps and polls that a process of the fleet is at
SELECT count(*) FROM run WHERE state = '{RUNNING}' AND kind IN ({BY_THEMSELVES})
  AND lease_until > ledger_now()
""")


def has_room(connection: Connection, most: int) -> bool:
    """Whether the fleet is at fewer sweeps and polls than ``most``, until the transaction ends."""
    LOCK_COUNT.run(connection)
    return int(UNDER_WAY.scalar(connection)) < most


_STANDING = f"""
SELECT site.id AS site_id, ledger_now() AS now, site.sweep_since, running.kind AS running_kind,
  running.lease_until <= ledger_now() AS is_free,
  (SELECT max(started_at) FROM run WHERE run.site_id = site.id
    AND kind IN ({words(WHOLE_KINDS)}) AND state = '{DONE}'
    AND started_at >= coalesce(site.wix_api_since, 0)) AS swept_at,
  (SELECT max(started_at) FROM run WHERE run.site_id = site.id
    AND kind = '{RunKind.POLL}') AS polled_at
FROM site LEFT JOIN run AS running ON running.site_id = site.id AND running.state = '{RUNNING}'
  AND running.kind IN ({words(RunKind)})
"""
STANDING_OF_ALL = SqlText(f"""
-- runs.standing_of_all: the newest runs of every active site, and the one under way
{_STANDING} WHERE site.state = '{SiteState.ACTIVE}'
""")
STANDING = SqlText(f"""
-- runs.standing: the newest runs of a site, and the one under way
{_STANDING} WHERE site.id = :site_id
""")


def is_run_due(standing: Any, kind: RunKind, every_seconds: float) -> bool:
    """Whether a run of this kind is open and free, or none has begun for so long.

    ``standing``: the row of a site.
    """
    # A sweep shows all that a poll would, so a poll waits for either.
    waits_for = {*WHOLE_KINDS, str(kind)}
    # A run is open: it is due if it is of this kind and its process has let go or died.
    if standing.running_kind in waits_for:
        return bool(standing.running_kind == kind and standing.is_free)
    # Never before the first baseline: that is begun, and confirmed, by a person.
    if standing.swept_at is None:
        return False
    newest = float(standing.swept_at)
    # For a while nobody told what happened: whatever the schedule says.
    if kind is RunKind.SWEEP and newest < (standing.sweep_since or 0.0):
        return True
    if kind is RunKind.POLL:
        newest = max(newest, standing.polled_at or 0.0)
        every_seconds -= min(EARLY_SECONDS, EARLY_SHARE * every_seconds)
    return newest <= float(standing.now) - every_seconds


# Of a site in the same statement: what was compared before it changed its API of Wix says nothing.
SINCE = func.coalesce(site.c.wix_api_since, 0.0)


def is_whole(site_id: Any) -> Any:
    """Complete runs of a site over both sides as they are now."""
    return (run.c.site_id == site_id) & run.c.kind.in_(WHOLE_KINDS) & (run.c.started_at >= SINCE)


def has_baseline(connection: Connection, site_id: int) -> bool:
    """Whether both sides of a site were compared whole."""
    done = is_whole(site.c.id) & (run.c.state == DONE)
    found = select(run.c.id).select_from(site).where(site.c.id == site_id, done).limit(1)
    return connection.execute(found).first() is not None


def awaits_baseline(connection: Connection, site_id: int) -> bool:
    """Whether a site has changed its API of Wix, and nobody has confirmed what that leads to."""
    changed = (site.c.id == site_id) & site.c.wix_api_since.is_not(None)
    is_changed = connection.execute(select(site.c.id).where(changed)).first() is not None
    return is_changed and not has_baseline(connection, site_id)


GAP_BEFORE = SqlText(f"""
-- runs.gap_before: until when nobody told what happened, if a run is the first whole look since
SELECT site.sweep_since FROM run JOIN site ON site.id = run.site_id
WHERE run.id = :run_id AND run.kind <> '{RunKind.BASELINE}' AND run.started_at >= site.sweep_since
  AND NOT EXISTS (SELECT 1 FROM run AS earlier WHERE earlier.site_id = site.id
    AND earlier.kind IN ({words(WHOLE_KINDS)}) AND earlier.state = '{DONE}'
    AND earlier.started_at >= site.sweep_since)
""")


def gap_before(connection: Connection, sweep: Sweep) -> float | None:
    """Until when nobody told what happened on the site, if this is the first whole look since.

    Not of a baseline: what is on file then may be of the other API of Wix.
    """
    until = GAP_BEFORE.first(connection, run_id=sweep.id)
    return None if until is None else float(until.sweep_since)


def cursor_of(sweep: Sweep) -> dict[str, Any]:
    """Where a run is, as JSON."""
    times = {"since": sweep.since, "newest": sweep.newest}
    texts = {name: time.isoformat() for name, time in times.items() if time is not None}
    return {"phase": str(sweep.phase), "page": sweep.page, **texts}


def to_sweep(row: Any, *, is_resumed: bool = False) -> Sweep:
    """A row of the table."""
    cursor = row.cursor or {}
    times = {
        name: datetime.fromisoformat(cursor[name]) for name in ("since", "newest") if name in cursor
    }
    return Sweep(
        id=row.id,
        site_id=row.site_id,
        kind=RunKind(row.kind),
        fence=row.fence,
        phase=Phase(cursor.get("phase", Phase.EXTERNAL)),
        page=cursor.get("page"),
        counts=row.counts,
        is_resumed=is_resumed,
        **times,
    )


def _is_open(site_id: int) -> Any:
    """The run of a sweep that is not over; imports are runs of another kind."""
    is_sweep = run.c.kind.in_([str(kind) for kind in RunKind])
    return (run.c.site_id == site_id) & is_sweep & (run.c.state == RUNNING)


def _is_poll() -> Any:
    return run.c.kind == str(RunKind.POLL)
