"""What runs where: processes with their last sign, the queue, Redis and SQL, and where to look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sync_worker.core.errors import SyncError
from sync_worker.core.processes import ProcessKind
from sync_worker.core.said import said
from sync_worker.ledger.administration.heartbeats import SeenProcess
from sync_worker.services.access.who import Right, Who
from sync_worker.telemetry.broker_figures import BrokerFigures


@dataclass(frozen=True, slots=True)
class Machine:
    """One process. ``seen_ago``: its last sign, in seconds; ``has_stopped``: as it was told to."""

    kind: str
    host: str
    pid: int
    version: str
    started_at: float
    seen_at: float
    seen_ago: float
    is_alive: bool
    has_stopped: bool
    slots: int
    busy: int


@dataclass(frozen=True, slots=True)
class Server:
    """``reason``: why it does not answer; empty if it does."""

    name: str
    answers: bool
    reason: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Machines:
    """``queues``: messages that wait, by queue; ``in_hand``: taken, not at their end.

    ``slots``, ``busy``: of the workers that live. ``missing``: kinds of which none does.
    """

    processes: Sequence[Machine]
    missing: Sequence[str]
    slots: int
    busy: int
    queues: Mapping[str, int] = field(default_factory=dict)
    in_hand: int = 0
    servers: Sequence[Server] = ()
    flower_url: str = ""
    grafana_url: str = ""


@dataclass(frozen=True, slots=True)
class MachineSources:
    """Where the facts come from.

    ``broker``: ``None`` and why it does not answer. ``ledger_reason``: why the ledger cannot be
    written, empty if it can.
    """

    processes: Callable[[], Sequence[SeenProcess]]
    broker: Callable[[], tuple[BrokerFigures | None, str]]
    ledger_reason: Callable[[], str]
    ledger_name: str
    flower_url: str = ""
    grafana_url: str = ""


class MachineRoom:
    """For whoever runs the installation. Raises Forbidden."""

    def __init__(self, sources: MachineSources) -> None:
        self._sources = sources

    def look(self, who: Who) -> Machines:
        who.check(Right.MACHINES)
        broker, why = self._sources.broker()
        reason = self._sources.ledger_reason()
        machines = [_machine(one) for one in self._seen()]
        alive = {one.kind for one in machines if one.is_alive}
        workers = [one for one in machines if one.is_alive and one.kind == ProcessKind.WORKER]
        return Machines(
            machines,
            [str(kind) for kind in ProcessKind if str(kind) not in alive],
            sum(one.slots for one in workers),
            sum(one.busy for one in workers),
            dict(broker.queues) if broker is not None else {},
            broker.unacked if broker is not None else 0,
            [
                Server("Redis", broker is not None, why, _memory(broker)),
                Server(self._sources.ledger_name, not reason, reason),
            ],
            _address(self._sources.flower_url),
            _address(self._sources.grafana_url),
        )

    def _seen(self) -> Sequence[SeenProcess]:
        """None where the ledger cannot be read: its own line says so."""
        try:
            return self._sources.processes()
        except SyncError:
            return ()


def _machine(seen: SeenProcess) -> Machine:
    return Machine(
        str(seen.kind),
        seen.host,
        seen.pid,
        seen.version,
        seen.started_at,
        seen.seen_at,
        seen.seen_ago,
        seen.is_alive,
        seen.stopped_at is not None,
        seen.slots,
        seen.busy,
    )


def _address(url: str) -> str:
    """What a browser may open; anything else is no link."""
    return url.rstrip("/") if url.startswith(("https://", "http://")) else ""


def _memory(broker: BrokerFigures | None) -> str:
    if broker is None:
        return ""
    size = f"{broker.used_memory_bytes / 2**20:.1f}"
    return said(
        "%(size)s MiB in use, %(evicted)s keys evicted", size=size, evicted=broker.evicted_keys
    )
