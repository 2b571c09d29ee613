"""The processes of an installation, as they tell of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version

BEAT_SECONDS = 10.0  # between two signs of life


class ProcessKind(StrEnum):
    GATEWAY = "gateway"
    WORKER = "worker"
    BEAT = "beat"


@dataclass(frozen=True, slots=True)
class Process:
    """A process, as it tells of itself.

    ``every_seconds``: how often it shows a sign; ``up_seconds``: since its start, ``None``: not
    known.
    """

    kind: ProcessKind
    host: str
    pid: int
    version: str = ""
    every_seconds: float = BEAT_SECONDS
    slots: int = 0
    busy: int = 0
    up_seconds: float | None = None

    @property
    def id(self) -> str:
        return f"{self.kind}:{self.host[:128]}:{self.pid}"


def our_version() -> str:
    """Of the installed package; empty where it runs from a folder."""
    try:
        return version("ratings-sync")
    except PackageNotFoundError:
        return ""
