"""What one site costs as the sites of an app grow: the same work with ten accounts and with ten
thousand, each with secrets and an address of its own.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import create_engine, text

from benchmarks.ground import Ground, ground
from benchmarks.report import Section, Table, at_most
from benchmarks.sites_fleet import Fleet

BLOCK = 20  # pieces of work before it is the next ledger's turn
PLAN_LINES = 40


@dataclass(frozen=True, slots=True)
class Size:
    """``sites``: of each ledger, fewest first; ``webhooks``, ``ratings``: in each; ``rows``: open
    ones while the sweeper looks for what is due.
    """

    sites: Sequence[int] = (10, 1_000, 10_000)
    webhooks: int = 2_000
    ratings: int = 1_000
    rows: int = 1_000_000
    new_accounts: int = 7
    turns: int = 20


QUICK = Size((2, 5), 40, 40, 1_000, 1, 3)


@dataclass(frozen=True, slots=True)
class Cost:
    """With so many sites; times in milliseconds, of one piece of work each."""

    sites: int
    webhook: float
    webhook_p99: float
    rating: float
    new_account: float
    turn: float
    megabytes: float
    kilobytes_an_account: float
    know: float
    plan: Sequence[str]


def measure(size: Size) -> list[Cost]:
    """All ledgers are filled first; then some work goes to each in turn, so that all see the same
    machine.
    """
    with ground("postgresql") as at:
        fleets = [
            Fleet(at, _url(at, sites), sites, people=-(-size.ratings // sites) + 1)
            for sites in size.sites
        ]
        _in_turn(fleets, size.webhooks, Fleet.post_some)
        _in_turn(fleets, size.ratings, Fleet.cross_some)
        for _ in range(size.new_accounts):
            for fleet in fleets:
                fleet.serve_a_new_account()
        costs = [_cost(fleet, size) for fleet in fleets]
        for fleet in fleets:
            fleet.close()
        return costs


def _in_turn(fleets: Sequence[Fleet], count: int, work: Callable[[Fleet, int], None]) -> None:
    for _ in range(count // BLOCK):
        for fleet in fleets:
            work(fleet, BLOCK)


def _url(at: Ground, sites: int) -> str:
    """Of an empty database of its own, on the same server."""
    engine = create_engine(at.database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE sites_{sites}"))
    engine.dispose()
    return at.database_url.replace("/postgres?", f"/sites_{sites}?")


def _cost(fleet: Fleet, size: Size) -> Cost:
    turn, plan = fleet.look_for_due(size.rows, size.turns)
    return Cost(
        fleet.sites,
        statistics.median(fleet.hooks) * 1000,
        statistics.quantiles(fleet.hooks, n=100)[98] * 1000,
        statistics.median(fleet.ratings) * 1000,
        statistics.median(fleet.new_accounts) * 1000,
        turn * 1000,
        fleet.megabytes,
        fleet.megabytes * 1024 / fleet.sites,
        fleet.seconds_to_know / fleet.sites * 1000,
        plan,
    )


def run(size: Size) -> Section:
    return section(measure(size), size)


HEAD = (
    "sites",
    "webhooks/s",
    "p99",
    "ratings/s",
    "new account served",
    "turn of the sweeper",
    "memory for accounts",
    "an account",
    "taken up in",
)


def _ratios(first: Cost, last: Cost, size: Size) -> dict[str, float]:
    """How much more things cost with the most sites than with the fewest."""
    return {
        "a webhook at the door": last.webhook / first.webhook,
        "99 of 100 webhooks": last.webhook_p99 / first.webhook_p99,
        "a new rating by a worker": last.rating / first.rating,
        "a new account": last.new_account / first.new_account,
        f"a turn of the sweeper over {size.rows:,} due rows": last.turn / first.turn,
    }


def _row(one: Cost) -> tuple[str, ...]:
    """A row under ``HEAD``."""
    return (
        f"{one.sites:,}",
        f"{1000 / one.webhook:,.0f}",
        f"{one.webhook_p99:.1f} ms",
        f"{1000 / one.rating:,.0f}",
        f"{one.new_account:.0f} ms",
        f"{one.turn:.1f} ms",
        f"{one.megabytes:.0f} MB",
        f"{one.kilobytes_an_account:.1f} KB",
        f"{one.know:.2f} ms",
    )


def section(costs: Sequence[Cost], size: Size) -> Section:
    last = costs[-1]
    beside = f"× with {costs[0].sites}"
    return Section(
        "sites",
        "A site as the sites of an app grow",
        f"PostgreSQL, one database for each number of sites; every site has an account with sealed"
        f" secrets. {size.webhooks:,} signed webhooks of sites by chance go through the door (the"
        f" whole application, without a socket) and {size.ratings:,} new ratings through the intake"
        f" of a worker, to remotes in memory; one thread, {BLOCK} to each ledger in turn, so that"
        " all see the same machine. A new account counts from its command to its first webhook that"
        f" is stored. Then {size.rows:,} due deliveries lie open, spread over the sites. All"
        " accounts are known to the process before (memory: what that took); medians.",
        [
            at_most(f"{what}, at {last.sites:,} sites", 1.2, ratio, beside)
            for what, ratio in _ratios(costs[0], last, size).items()
        ],
        [
            Table(HEAD, [_row(one) for one in costs]),
            Table(
                (f"EXPLAIN of the round through {last.sites:,} sites",),
                [(line,) for line in last.plan[:PLAN_LINES]],
            ),
        ],
        figures=[asdict(one) for one in costs],
    )
