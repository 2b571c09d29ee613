"""What ``ratings-sync reconcile`` shows: bars while it works, then the plan and the outcome."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from sync_worker.cli.history import value_words
from sync_worker.cli.output import document_of, print_table, say
from sync_worker.core.outcome import Outcome
from sync_worker.core.ports.remote import Connection
from sync_worker.core.sweep_values import Finding, Sweep
from sync_worker.core.values import Side
from sync_worker.ledger.console.compared import ComparedRun
from sync_worker.reconcile.dry_run import Forecast
from sync_worker.reconcile.listing import LISTING
from sync_worker.reconcile.pace import Job, JobOver, Pace
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.remotes.gathering import results_together
from sync_worker.wiring import SWEEP_THREADS

EXAMPLES = 3
HELD_ALREADY = "held already"  # an outcome of the plan that needs no work


class Stopped(Exception):
    """A person has stopped the run while it waited."""


@dataclass(slots=True)
class Summary:
    """What findings lead to: how many by outcome, with a few examples.

    ``planned_writes``: the remote writes, by kind.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    planned_writes: Counter[str] = field(default_factory=Counter)
    listing: list[dict[str, Any]] | None = None

    @property
    def to_do(self) -> int:
        """Findings that the engine has to see."""
        return self.outcomes.total() - self.outcomes["in_step"] - self.outcomes[HELD_ALREADY]

    def add(self, finding: Finding, forecast: Forecast) -> None:
        self.outcomes[forecast.outcome] += 1
        shown = self.examples.setdefault(forecast.outcome, [])
        if len(shown) < EXAMPLES:
            shown.append(_in_words(finding, forecast))
        for planned_write in forecast.planned_writes:
            self.note(planned_write)

    def note(self, planned_write: PlannedWrite) -> None:
        self.planned_writes[planned_write.what] += 1
        if self.listing is not None:
            self.listing.append(planned_write_as_json(planned_write))


def planned_write_as_json(planned_write: PlannedWrite) -> dict[str, Any]:
    """One remote write for programs; who rated is named by address, as on the external side."""
    return {
        "operation": str(planned_write.operation),
        "side": str(planned_write.side),
        "entity": planned_write.entity,
        "person": planned_write.person,
        "values": {name: str(value) for name, value in sorted(planned_write.values.items())},
        "words": dict(sorted(planned_write.words.items())),
        "remote_id": planned_write.remote_id,
    }


def _in_words(finding: Finding, forecast: Forecast) -> str:
    if forecast.planned_writes:
        planned_write = forecast.planned_writes[0]
        parts = [f"{name} {value.normalize():f}" for name, value in planned_write.values.items()]
        parts += [f"{name} {value_words(text)}" for name, text in planned_write.words.items()]
        shown = ", ".join(parts)
        return f"{planned_write.remote_id or planned_write.entity} {shown}".strip()
    return ", ".join(f"{row.side} {row.remote_id}" for row in finding.rows)


class Show:
    """What a person sees: bars on stderr at work; plan and outcome, or a document, at the end."""

    def __init__(self, console: Console, *, as_json: bool, actions: bool) -> None:
        self.console, self.as_json, self.actions = console, as_json, actions
        self.plan, self.done = Summary(), Summary(listing=[] if actions else None)
        self.is_finished = self.is_declined = self.is_plan_shown = self.is_asking = False
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(),
            console=console,
            disable=as_json or not console.is_terminal,
        )
        self.by_workers = Counter[str]()
        self._stop = threading.Event()
        self.stopped_by: int = signal.SIGINT  # the signal that asked last
        self._pool = ThreadPoolExecutor(SWEEP_THREADS)
        self._task: TaskID | None = None
        self._lists: dict[Side, TaskID] = {}

    def pace(self) -> Pace:
        return Pace(
            self._wait, self._together, lambda: self.is_stopped, self._report, self._in_bulk
        )

    def _wait(self, seconds: float) -> None:
        """A pause ends when a person stops the run, however long the budget would make it wait."""
        if self._stop.wait(seconds):
            raise Stopped

    def _together(self, jobs: Sequence[Job]) -> list[Outcome]:
        def work(job: Job) -> Outcome:
            outcome = job()
            self.step()
            return outcome

        return list(self._pool.map(work, jobs))

    def _in_bulk(self, connection: Connection, jobs: Sequence[JobOver]) -> list[Outcome]:
        def work(job: JobOver, over: Connection) -> Outcome:
            outcome = job(over)
            self.step()
            return outcome

        return results_together(connection, [partial(work, job) for job in jobs])

    def _report(self, sweep: Sweep) -> None:
        for side in (Side.EXTERNAL, Side.WIX):
            if count := sweep.counts.get(f"listed_{side}", 0):
                if side not in self._lists:
                    self._lists[side] = self.progress.add_task(
                        f"listing {side}", total=None, pace=""
                    )
                # Wix is listed second: while either is being listed, Wix is not over.
                is_over = LISTING.get(sweep.phase) is not side
                if side is Side.WIX and sweep.phase in LISTING:
                    is_over = False
                self.progress.update(
                    self._lists[side], completed=count, total=count if is_over else None
                )
                self._show_pace(self._lists[side])

    @property
    def is_stopped(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        self._stop.set()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a question is open, Ctrl-C is an answer to it: stop."""
        self.is_asking = True
        try:
            yield
        except click.Abort:
            self.stop()
        finally:
            self.is_asking = False

    def begin_planning(self, total: int) -> None:
        self._task = self.progress.add_task("planning", total=total, pace="")

    def begin_writing(self) -> None:
        if not self.as_json:
            self.print_plan()
        if self.plan.to_do:
            self.progress.start()
            self._task = self.progress.add_task("bringing in step", total=self.plan.to_do, pace="")

    def step(self, steps: int = 1) -> None:
        if self._task is None or self.progress.disable:
            return
        self.progress.advance(self._task, steps)
        self._show_pace(self._task)

    def _show_pace(self, task: TaskID) -> None:
        speed = self.progress.tasks[task].speed
        self.progress.update(task, pace=f"{speed * 60:.0f} a minute" if speed else "")

    def print_plan(self) -> None:
        if self.is_plan_shown:
            return
        self.is_plan_shown = True
        in_step_first = sorted(self.plan.outcomes, key=lambda name: (name != "in_step", name))
        rows = [
            (
                _plan_words(outcome),
                self.plan.outcomes[outcome],
                "; ".join(self.plan.examples.get(outcome, [])),
            )
            for outcome in in_step_first
        ]
        console = self.console if self.as_json else None
        print_table(("plan", "ratings", "for example"), rows, console=console)

    def note_all(self, written: Mapping[str, int]) -> None:
        """All that has been written since the run began, by it or by the workers."""
        self.by_workers = Counter(written) - self.done.planned_writes
        self.done.planned_writes |= Counter(written)

    def close(self, sweep: Sweep, compared: ComparedRun | None) -> None:
        """``compared``: the run as the endpoint has it, for programs."""
        self._pool.shutdown()
        if self.as_json:
            known = {} if compared is None else document_of(compared)
            click.echo(json.dumps({**known, **self._document(sweep)}))
            return
        self.print_plan()
        if self.is_declined:
            click.echo("nothing was written")
        elif self.is_stopped or not self.is_finished:
            click.echo("stopped; the same command goes on from here")
        elif self.done.planned_writes or sweep.counts.get("applied"):
            words = _written(self.done.planned_writes) or "nothing"
            if self.by_workers:
                words += f"; of these by the workers meanwhile: {_written(self.by_workers)}"
            click.echo(f"written: {words}")
        elif not sweep.is_dry and not self.plan.planned_writes:
            click.echo("nothing to write on either side")
        for warning in _warnings(sweep):
            say(warning, fg="yellow", err=True)

    def _document(self, sweep: Sweep) -> dict[str, Any]:
        document: dict[str, Any] = {
            "run": sweep.id,
            "kind": str(sweep.kind),
            "is_resumed": sweep.is_resumed,
            "is_finished": self.is_finished,
            "counts": dict(sweep.counts),
            "plan": {
                "outcomes": dict(self.plan.outcomes),
                "writes": dict(self.plan.planned_writes),
            },
            "examples": self.plan.examples,
            "written": dict(self.done.planned_writes),
            "written_by_workers": dict(self.by_workers),
            "warnings": _warnings(sweep),
        }
        if self.actions:
            document["plan"]["actions"] = self.plan.listing
            document["actions"] = self.done.listing
        return document


def _written(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} × {what}" for what, count in sorted(counts.items()))


def _warnings(sweep: Sweep) -> list[str]:
    found = []
    for side in Side:
        if sweep.counts.get(f"refused_{side}"):
            found.append(
                f"the listing of {side} showed less than half of what is linked: nothing counts as"
                " deleted there"
            )
        if count := sweep.counts.get(f"unreadable_{side}"):
            found.append(
                f"{count} rows of the listing of {side} are no records of its form; the log says"
                " why (record_unreadable)"
            )
        if count := sweep.counts.get(f"braked_{side}"):
            found.append(
                f"{count} ratings are gone from {side}, more than max(20, 5 %): their deletes are"
                " held (delete_brake); if that is right: ratings-sync reconcile --allow-deletes"
                f" {count}"
            )
    return found


def _plan_words(outcome: str) -> str:
    # A rating that both sides show is listed twice.
    if outcome == "in_step":
        return "in step (records of both sides)"
    return outcome.replace("_", " ")
