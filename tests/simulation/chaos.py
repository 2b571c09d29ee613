"""The chaos command: many seeds over many scenes, on every core.

``python -m tests.simulation.chaos --seeds 100000`` prints each broken invariant with the seed that
shows it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property

from sqlalchemy import Engine

from sync_worker.ledger.accounts.tables import account_change
from sync_worker.ledger.database import SteadyClock, give_clock, open_engine
from sync_worker.ledger.tables import metadata
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenes import SCENES
from tests.simulation.world import LedgerMaker, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.observed_ledger import ObservedLedger


def sql_ledger(now: Callable[[], float], monotonic: Callable[[], float]) -> ObservedLedger:
    """The real SQL ledger, on SQLite in memory, with the world's clock as the database's.

    One database serves all worlds of a process, one after the other: half of a run would go into
    compiling statements.
    """
    return _SHARED.ledger(SteadyClock(now, monotonic))


class _SharedDatabase:
    @cached_property
    def _engine(self) -> Engine:
        engine = open_engine("sqlite://")
        metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(account_change.insert().values(id=1, counter=0))
        return engine

    def ledger(self, clock: SteadyClock) -> ObservedLedger:
        with self._engine.begin() as connection:
            # Each world begins at the same time: its clock knows nothing of the one before.
            give_clock(connection.connection.driver_connection, clock)
            for table in reversed(metadata.sorted_tables):
                # Its one row comes with the migration.
                if table is not account_change:
                    connection.execute(table.delete())
        return ObservedLedger(self._engine)


_SHARED = _SharedDatabase()


LEDGERS: dict[str, LedgerMaker] = {"memory": memory_ledger, "sql": sql_ledger}


def run_seed(scene: str, seed: int, make_ledger: LedgerMaker = memory_ledger) -> list[str]:
    """One run. Returns the broken invariants, in words; a run that crashes is one too."""
    world = World(seed, SCENES[scene], make_ledger)
    try:
        world.run()
        return broken_invariants(world)
    except Exception as error:  # the seed must be reported whatever went wrong
        return [f"{type(error).__name__}: {error}"]


def _run_many(scene: str, seeds: range, ledger: str) -> list[tuple[str, int, list[str]]]:
    return [
        (scene, seed, broken)
        for seed in seeds
        if (broken := run_seed(scene, seed, LEDGERS[ledger]))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seeds", type=int, default=10_000, help="how many in all, shared by the scenes"
    )
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--scene", choices=sorted(SCENES))
    parser.add_argument("--ledger", choices=sorted(LEDGERS), default="memory")
    arguments = parser.parse_args()
    scenes = [arguments.scene] if arguments.scene else list(SCENES)
    each = -(-arguments.seeds // len(scenes))
    started = time.monotonic()
    bad = 0
    with ProcessPoolExecutor() as pool:
        jobs = [
            pool.submit(
                _run_many,
                scene,
                range(first, min(first + 250, arguments.first + each)),
                arguments.ledger,
            )
            for scene in scenes
            for first in range(arguments.first, arguments.first + each, 250)
        ]
        for job in jobs:
            for scene, seed, broken in job.result():
                bad += 1
                if bad <= 20:
                    sys.stdout.write(f"scene {scene!r} seed {seed}: {broken}\n")
    total = each * len(scenes)
    sys.stdout.write(f"{total} seeds, {bad} bad, {time.monotonic() - started:.0f} s\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
