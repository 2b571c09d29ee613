"""Troubles of the processes: who is missing, who is too many, whose clock is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync_worker.core.processes import ProcessKind
from sync_worker.core.said import joined, said, said_many
from sync_worker.core.values import SiteState
from sync_worker.ledger.administration.heartbeats import SeenProcess
from sync_worker.services.evidence import Evidence
from sync_worker.services.trouble import Trouble, TroubleKind, since

CLOCK_SECONDS = 60.0  # signatures are refused at 300 s; a minute leaves room
# A worker that has just begun has not heard of the scheduler yet.
FIRST_TICK_SECONDS = 40.0
# Who is replaced is seen no more soon after its successor has begun.
OVERLAP_SECONDS = 15.0
START = said("`ratings-sync up` on one machine, `docker compose up -d` for the fleet")


def lost_processes(evidence: Evidence) -> Iterator[Trouble]:
    """Who does not run. Where nobody runs, that is one sentence."""
    # The signs stand in the ledger: where nobody can write, nobody shows one.
    if evidence.ledger_reason:
        return
    alive = {process.kind for process in evidence.processes if process.is_alive}
    if not alive:
        if evidence.processes or _has_work(evidence):
            yield _nothing_runs(evidence)
        return
    if ProcessKind.GATEWAY not in alive:
        yield Trouble(
            TroubleKind.NO_GATEWAY,
            said(
                "no gateway runs%(since)s: webhooks are not accepted",
                since=_last(evidence, ProcessKind.GATEWAY),
            ),
            said(
                "start it: %(start)s; senders try again (Wix for 47 hours), a sweep finds the rest",
                start=START,
            ),
            _last_seen(evidence, ProcessKind.GATEWAY),
        )
    if ProcessKind.WORKER not in alive:
        yield Trouble(
            TroubleKind.NO_WORKER,
            said(
                "no worker runs%(since)s: what is accepted waits",
                since=_last(evidence, ProcessKind.WORKER),
            ),
            said("start it: %(start)s; nothing is lost", start=START),
            _last_seen(evidence, ProcessKind.WORKER),
        )
    elif ProcessKind.BEAT not in alive and _could_have_heard(evidence):
        yield Trouble(
            TroubleKind.NO_SCHEDULER,
            said(
                "no scheduler runs%(since)s: no poll, no sweep of sites and no check of webhooks"
                " begins, and nothing is pruned",
                since=_last(evidence, ProcessKind.BEAT),
            ),
            said("start it: %(start)s", start=START),
            _last_seen(evidence, ProcessKind.BEAT),
        )


def _has_work(evidence: Evidence) -> bool:
    return any(site.state is not SiteState.REMOVED for site in evidence.sites)


def _could_have_heard(evidence: Evidence) -> bool:
    """The scheduler is known by its messages: they need a Redis and a worker that listens."""
    workers = _of(evidence, ProcessKind.WORKER)
    oldest = max(process.seen_at - process.started_at for process in workers if process.is_alive)
    return not evidence.redis_reason and oldest > FIRST_TICK_SECONDS


def _nothing_runs(evidence: Evidence) -> Trouble:
    ends = [_end_of(process) for process in evidence.processes]
    moment = max(ends, default=None)
    return Trouble(
        TroubleKind.NOTHING_RUNS,
        said(
            "nothing runs%(since)s: no gateway, no worker and no scheduler",
            since=since(moment, evidence.now),
        ),
        said("start all: %(start)s", start=START),
        moment,
    )


def _of(evidence: Evidence, kind: ProcessKind) -> list[SeenProcess]:
    return [process for process in evidence.processes if process.kind is kind]


def _end_of(process: SeenProcess) -> float:
    return process.stopped_at or process.seen_at


def _last_seen(evidence: Evidence, kind: ProcessKind) -> float | None:
    return max((_end_of(process) for process in _of(evidence, kind)), default=None)


def _last(evidence: Evidence, kind: ProcessKind) -> str:
    return since(_last_seen(evidence, kind), evidence.now)


def two_installations(evidence: Evidence) -> Iterator[Trouble]:
    """Two schedulers on one ledger; on SQLite two workers, too, for it serves one."""
    kinds = {ProcessKind.BEAT: said("schedulers")}
    if evidence.is_sqlite:
        kinds[ProcessKind.WORKER] = said("workers (SQLite serves one)")
    for kind, words in kinds.items():
        beside = _side_by_side(_of(evidence, kind))
        if len(beside) < 2:
            continue
        names = joined(said(" and "), [process.name for process in beside])
        yield Trouble(
            TroubleKind.TWO_INSTALLATIONS,
            said(
                "two installations work on this ledger: %(processes)s run on %(names)s",
                processes=words,
                names=names,
            ),
            said(
                "stop one of them; each would have its own request budget, and the remotes get"
                " twice as many calls"
            ),
            max(process.started_at for process in beside),
        )
        return


def _side_by_side(processes: Sequence[SeenProcess]) -> list[SeenProcess]:
    alive = [process for process in processes if process.is_alive]
    begun = max((process.started_at for process in alive), default=0.0)
    newest = [process for process in alive if process.started_at == begun]
    return newest + [
        process
        for process in alive
        if process not in newest and process.seen_at - begun > OVERLAP_SECONDS
    ]


def wrong_clocks(evidence: Evidence) -> Iterator[Trouble]:
    """Of the database, of each process, and of each remote against ours."""
    found: dict[str, float] = {said("the database"): evidence.clock_ahead}
    found |= {
        said("the %(kind)s on %(name)s", kind=process.kind, name=process.name): process.clock_ahead
        for process in evidence.processes
        if process.is_alive
    }
    found |= {
        look.whose: look.clock_ahead for look in evidence.addresses if look.clock_ahead is not None
    }
    for whose, ahead in found.items():
        if abs(ahead) <= CLOCK_SECONDS:
            continue
        sentence = said(
            "the clock of %(whose)s is %(span)s behind the others: signatures have times in them,"
            " and are refused",
            whose=whose,
            span=_span(abs(ahead)),
        )
        if ahead > 0:
            sentence = said(
                "the clock of %(whose)s is %(span)s ahead of the others: signatures have times in"
                " them, and are refused",
                whose=whose,
                span=_span(abs(ahead)),
            )
        yield Trouble(TroubleKind.CLOCK, sentence, said("let NTP set the clocks of all machines"))


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return said_many("a minute", "%(num)s minutes", minutes)
