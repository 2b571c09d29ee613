"""What an event costs when the ledger has grown: the same changes at a thousand links and at many
more.
"""

from __future__ import annotations

import itertools
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import create_engine, text

from benchmarks.charts import Lines
from benchmarks.ground import Ground, ground
from benchmarks.instant import InstantRemote, Nobody
from benchmarks.links_fill import change_of, fill
from benchmarks.queue import STARS
from benchmarks.report import Section, Table, at_most
from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.ports.remote import Capabilities, Connection
from sync_worker.core.values import Record, Side
from sync_worker.intake.intake import Intake
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.wiring import Monotonic

BLOCK = 10  # events; of their times the median counts


class Silent:
    """A guard that knows nothing and a bell that nobody hears."""

    def remember(
        self, site_id: int, side: Side, remote_id: str, revision: int, intent_id: str
    ) -> None:
        return

    def recall(self, site_id: int, side: Side, remote_id: str, revision: int) -> str | None:
        return None

    def forget(self, site_id: int, side: Side, remote_id: str) -> None:
        return

    def ring(self, inbox_ids: Sequence[int]) -> None:
        return


class ChangingRemote(InstantRemote):
    """Every record exists, at any revision: only the ledger is measured."""

    def update(self, remote_id: str, draft: Any, revision: int | None) -> Record:
        return Record(
            remote_id, draft.values, (revision or 0) + 1, entity=draft.entity, person=draft.person
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """Of an event. ``events``: how many were measured."""

    database: str
    links: int
    milliseconds: float
    events: int


@dataclass(frozen=True, slots=True)
class Size:
    """``links``: of each ledger, by database, fewest first; ``events``: changes in each ledger."""

    links: Mapping[str, Sequence[int]]
    events: int = 500


FULL = Size({"postgresql": (1_000, 100_000, 1_000_000), "sqlite": (1_000, 100_000)})
QUICK = Size({"postgresql": (100, 300), "sqlite": (100, 300)}, 20)


def measure(database: str, size: Size) -> list[Cost]:
    """All ledgers are filled first; then a block of events goes to each in turn, so that all see
    the same machine.
    """
    with ground(database) as at:
        ledgers = [_Filled(_url(at, links), links, size.events) for links in size.links[database]]
        for _ in range(size.events // BLOCK):
            for ledger in ledgers:
                ledger.change_some(BLOCK)
        costs = [
            Cost(database, one.links, one.milliseconds, len(one.blocks) * BLOCK) for one in ledgers
        ]
        for ledger in ledgers:
            ledger.close()
        return costs


def _url(at: Ground, links: int) -> str:
    """Of an empty database of its own, on the same server."""
    if at.database_url.startswith("sqlite"):
        return f"sqlite:///{at.folder / f'links-{links}.db'}"
    engine = create_engine(at.database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE links_{links}"))
    engine.dispose()
    return at.database_url.replace("/postgres?", f"/links_{links}?")


class _Filled:
    """A ledger with so many links, and the real intake over remotes in memory.

    ``blocks``: seconds of each.
    """

    def __init__(self, url: str, links: int, events: int) -> None:
        self.links, self.blocks = links, list[float]()
        self._engine = open_engine(url)
        upgrade(self._engine)
        site, _ = ledger_admin(self._engine).sites.add("instance", "connector", [STARS])
        fill(self._engine, site, links)
        chosen = random.Random(links).sample(range(links), min(events, links))
        self._ledger, self._chosen = sql_ledger(self._engine), iter(chosen)
        remotes = {
            Side.WIX: ChangingRemote(Side.WIX, Capabilities(delete_is_final=True), 0),
            Side.EXTERNAL: ChangingRemote(Side.EXTERNAL, Capabilities(many_fields=True), 0),
        }
        connection, silent = Connection(remotes, Nobody()), Silent()
        self._intake = Intake(
            self._ledger,
            silent,
            silent,
            lambda site: connection,
            Monotonic(),
            lambda: str(uuid.uuid4()),
        )

    def change_some(self, count: int) -> None:
        """Raises RuntimeError if a change does not go its whole way."""
        started = time.perf_counter()
        for number in itertools.islice(self._chosen, count):
            outcome = self._intake.process(self._ledger.inbox.store(change_of(number)).inbox_id)
            if outcome.kind is not OutcomeKind.SYNCED:
                raise RuntimeError(f"the change of link {number} ended as {outcome}")
        self.blocks.append(time.perf_counter() - started)

    @property
    def milliseconds(self) -> float:
        """Of an event in the block in the middle."""
        return sorted(self.blocks)[len(self.blocks) // 2] / BLOCK * 1000

    def close(self) -> None:
        self._engine.dispose()


def run(size: Size) -> Section:
    costs = [cost for database in size.links for cost in measure(database, size)]
    first = {
        database: next(one for one in costs if one.database == database) for database in size.links
    }
    last = {one.database: one for one in costs}
    rows = [
        (
            one.database,
            f"{one.links:,}",
            f"{one.milliseconds / first[one.database].milliseconds:.2f}",
            f"{one.milliseconds:.2f} ms",
        )
        for one in costs
    ]
    return Section(
        "links",
        "An event as the ledger grows",
        f"The same change of a rating by one thread, {size.events} times in each ledger, each of"
        " another link from all over it: stored, processed, written to a remote in memory; the"
        " echo is not counted. Every link has both records on file and an ended delivery in the"
        f" inbox. {BLOCK} events go to each ledger in turn, so that all see the same machine; the"
        " block in the middle counts.",
        [
            at_most(
                f"{database}: an event at {last[database].links:,} links",
                1.2,
                last[database].milliseconds / first[database].milliseconds,
                f"× one at {first[database].links:,}",
            )
            for database in size.links
        ],
        [Table(("database", "links", "÷ at the fewest", "an event"), rows)],
        [
            Lines(
                "links",
                "What an event costs",
                "links",
                "ms",
                {
                    name: [(one.links, one.milliseconds) for one in costs if one.database == name]
                    for name in size.links
                },
                is_logarithmic=True,
            )
        ],
        [asdict(one) for one in costs],
    )
