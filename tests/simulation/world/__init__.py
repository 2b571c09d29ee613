"""A small world on a virtual clock: two remotes, people, webhooks on their way, and workers that
run the real engine. All choices come from one seed.
"""

from tests.simulation.world.options import (
    ANSWERED,
    CALM,
    CPU_SECONDS,
    OVERALL,
    PERCENT,
    QUALITY,
    SAID,
    SAID_IN_SHOP,
    STORM,
    Faults,
    LedgerMaker,
    Options,
)
from tests.simulation.world.shop import Shop
from tests.simulation.world.world import World

__all__ = [
    "ANSWERED",
    "CALM",
    "CPU_SECONDS",
    "OVERALL",
    "PERCENT",
    "QUALITY",
    "SAID",
    "SAID_IN_SHOP",
    "STORM",
    "Faults",
    "LedgerMaker",
    "Options",
    "Shop",
    "World",
]
