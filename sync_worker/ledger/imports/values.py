"""Files of ratings that people have sent, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync_worker.core.values.records import ShownWord


class ImportPhase(ShownWord):
    """What is done with a file, in this order. ``LOAD``: its rows are coming in."""

    LOAD = "load"
    CHECK = "check"
    LOOK = "look"
    RUN = "run"


class ImportState(ShownWord):
    """How far a phase is. ``STOPPED``: by a person; ``FAILED``: its reason says why."""

    READY = "ready"
    WORKING = "working"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file of ratings of one site; times in seconds since 1970.

    ``counts``: rows by what became, or would become, of them; ``differs`` are among ``there``.
    ``writes``: what a dry run foresees, in words. ``reason``: why it failed, or waits.
    ``is_wiped``: its rows are forgotten.
    """

    id: int
    site_id: int
    name: str
    actor: str
    phase: ImportPhase
    state: ImportState
    reason: str
    row_count: int
    counts: Mapping[str, int]
    writes: Mapping[str, int]
    run_id: int | None
    is_wiped: bool
    sent_at: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """How a file is read and written again, as JSON. ``form``: the format and its places."""

    form: Mapping[str, Any]
    shape: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowKey:
    """Which ratings a row is of, once its person and thing are known."""

    entity_id: int
    contact_id: str
    attributes: Sequence[str]


@dataclass(frozen=True, slots=True)
class RowEnd:
    """What became, or would become, of a row. ``place``: the column that is to blame."""

    line: int
    what: str
    place: str = ""
    reason: str = ""
    differs: bool = False
    key: RowKey | None = None


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row as it comes in. ``email``: as an identity; ``end``: of one that is no rating."""

    line: int
    content: str
    problem: str
    email: str | None
    end: RowEnd | None = None


@dataclass(frozen=True, slots=True)
class StoredRow:
    """``content``: JSON of its cells, or of its line; empty: whoever it names was erased."""

    line: int
    content: str
    problem: str
    what: str | None
    place: str
    reason: str
    differs: bool


@dataclass(frozen=True, slots=True)
class ImportClaim:
    """A file that this process works on, until its lease ends; ``fence``: of this claim."""

    file: ImportFile
    plan: ImportPlan
    fence: int
