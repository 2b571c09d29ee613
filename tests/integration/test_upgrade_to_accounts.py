"""An installation of one shop whose settings the environment holds, upgraded to a version that
knows accounts: it goes on as before, and beside it other sites are given accounts.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from sqlalchemy import Engine

from sync_worker.ledger.database import SteadyClock, give_clock, open_engine
from sync_worker.ledger.migrations.upgrade import downgrade, upgrade
from tests.simulation.oracles import broken_invariants
from tests.simulation.world import CALM, Options, Shop, World
from tests.twins.observed_ledger import ObservedLedger

BEFORE_ACCOUNTS = "0024"


def a_world(engine: Engine) -> World:
    """On this ledger, whose database has the clock of the world."""

    def make_ledger(now: object, monotonic: object) -> ObservedLedger:
        clock = SteadyClock(now, monotonic)  # type: ignore[arg-type]  # as LedgerMaker gives them
        with engine.begin() as connection:
            give_clock(connection.connection.driver_connection, clock)
        return ObservedLedger(engine)

    return World(0, Options(CALM, people=2), make_ledger)


def rate(shop: Shop, value: int) -> None:
    """One person on Wix, another one outside."""
    wix, external = shop.entities[0]
    shop.wix.visitor_rates(wix, shop.persons[0], {"overall": Decimal(value)})
    shop.external.visitor_rates(external, shop.persons[1], {"value": Decimal(value // 20)})


def change_both(shop: Shop, value: int) -> None:
    """What each of them has rated, on the side where it was brought."""
    (copy,) = shop.external.of(shop.entities[0][1], shop.persons[0])
    shop.external.visitor_changes(copy.remote_id, {"value": Decimal(value // 20)})
    (other,) = shop.wix.of(shop.entities[0][0], shop.persons[1])
    shop.wix.visitor_changes(other.remote_id, {"overall": Decimal(value)})


def written(shop: Shop) -> Counter[str]:
    """Our writes on both sides."""
    journals = (remote.journal for remote in shop.remotes.values())
    return Counter(one.operation for journal in journals for one in journal if one.by_us)


def test_implicit_account_is_at_work_beside_new_ones_after_the_upgrade() -> None:
    """Its links lead to the records of before: they are changed, and none is made anew."""
    engine = open_engine("sqlite://")
    upgrade(engine)
    world = a_world(engine)
    first = world.shops[0]
    rate(first, 80)
    world.drain()
    assert written(first) == {"create": 2}

    downgrade(engine, BEFORE_ACCOUNTS)
    upgrade(engine)
    world.ledger.accounts.cache.clear()  # another process
    change_both(first, 40)
    second = world.add_shop()
    rate(second, 100)
    world.settle()

    assert written(first) == {"create": 2, "update": 2}
    assert written(second) == {"create": 2}
    assert broken_invariants(world) == []
