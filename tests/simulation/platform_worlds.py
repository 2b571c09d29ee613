"""Worlds whose external system is a platform with habits of its own."""

from __future__ import annotations

from typing import Any

from sync_worker.core.values import (
    Side,
)
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL


def a_world(make_ledger: LedgerMaker = memory_ledger, **options: Any) -> World:
    return World(0, Options(CALM, people=1, sweeps=False, **options), make_ledger)


def creates(world: World) -> int:
    return world.external.calls["create"]
