"""Puts the parts together, for each kind of process: commands, worker, single machine.

In: settings and the environment. Out: parts that know nothing of each other's making. The gateway's
own composition is ``webhook_gateway.settings``.
"""

from sync_worker.wiring.commands import Wiring, wiring
from sync_worker.wiring.connectors import manifest_paths
from sync_worker.wiring.databases import retention_of
from sync_worker.wiring.single_machine import installation
from sync_worker.wiring.sweeps import SWEEP_THREADS, Monotonic

__all__ = [
    "SWEEP_THREADS",
    "Monotonic",
    "Wiring",
    "installation",
    "manifest_paths",
    "retention_of",
    "wiring",
]
