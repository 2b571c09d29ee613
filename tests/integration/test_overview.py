"""The overview over a real ledger: hours, causes and sources, of all sites and of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, text

from sync_worker.core.processes import Process, ProcessKind
from sync_worker.core.values import Change, NewDelivery, Side, SiteState
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.administration.door_counts import DoorNews, SourceNews
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import history, run
from sync_worker.services.access.who import Forbidden, Role, Who
from sync_worker.services.evidence import Bounds, Evidence
from sync_worker.services.overview import OverviewService

GRACE, OWNER = Who("grace", Role.ADMIN), Who("owner", Role.OWNER, 1)


@dataclass
class Place:
    engine: Engine
    admin: LedgerAdmin
    now: float = 0.0

    def service(self) -> OverviewService:
        return OverviewService(self.admin, self._evidence, lambda: self.now)

    def _evidence(self, bounds: Bounds) -> Evidence:
        standing = self.admin.standing
        sites = standing.some_sites(bounds.most, frozenset({"shop-1", "shop-2"}))
        if bounds.site is not None:
            sites = standing.one_site(bounds.site.id)
        return Evidence(
            now=self.admin.questions.now(),
            processes=self.admin.heartbeats.all(),
            sites=sites,
            waiting=standing.waiting(bounds.most, bounds.sources),
        )

    def held(self, source: str, count: int) -> None:
        inbox = sql_ledger(self.engine).inbox
        for number in range(count):
            new = NewDelivery(
                Side.WIX, source, f"{source}-{number}", Change.UPSERT, f"{number}", {}
            )
            inbox.hold([int(inbox.store(new).inbox_id)], "refused")

    def ended(self, age: float, ago: float) -> None:
        """A delivery that crossed so long ago."""
        inbox = sql_ledger(self.engine).inbox
        new = NewDelivery(Side.WIX, "instance-1", f"e-{age}-{ago}", Change.UPSERT, f"{age}", {})
        stored = int(inbox.store(new).inbox_id)
        closed = self.admin.questions.now() - ago
        changed = (
            "UPDATE inbox SET state='done', reason='synced', closed_at=:at, received_at=:since"
        )
        with self.engine.begin() as connection:
            connection.execute(
                text(f"{changed} WHERE id=:id"), {"id": stored, "at": closed, "since": closed - age}
            )


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Two sites that were compared, with a gateway, a worker and a scheduler at work."""
    engine = open_engine(request.getfixturevalue(request.param))
    admin = ledger_admin(engine)
    done = {"kind": "baseline", "state": "done", "started_at": 1.0, "ended_at": 2.0}
    for number in (1, 2):
        admin.sites.add(f"instance-{number}", f"shop-{number}", [])
        with engine.begin() as connection:
            connection.execute(insert(run).values(site_id=number, **done))
    for kind in ProcessKind:
        admin.heartbeats.note(Process(kind, "host-1", 7, "0.1.0", slots=8, busy=2))
    yield Place(engine, admin)
    engine.dispose()


def test_installation_without_trouble_is_well(place: Place) -> None:
    found = place.service().overview(GRACE)
    assert (found.sentence, found.is_well, found.causes) == ("All well", True, [])
    assert len(found.hours) == 24


def test_paused_site_and_held_deliveries_need_somebody(place: Place) -> None:
    place.admin.sites.set_state(2, SiteState.PAUSED)
    place.held("instance-1", 3)
    found = place.service().overview(GRACE)
    assert found.sentence == "2 things need you"
    assert [(cause.kind, cause.place) for cause in found.causes] == [
        ("paused", "/sites?trouble=paused"),
        ("held", "/held"),
    ]
    assert (found.held, found.hours[-1].held) == (3, 3)


def test_owner_sees_nothing_of_another_site(place: Place) -> None:
    place.admin.sites.set_state(2, SiteState.PAUSED)
    place.held("instance-2", 3)
    found = place.service().overview(OWNER)
    assert (found.sentence, found.held, found.site_id) == ("All well", 0, 1)
    assert sum(hour.held for hour in found.hours) == 0
    with pytest.raises(Forbidden):
        place.service().overview(OWNER, 2)


def test_owner_is_told_of_the_own_site(place: Place) -> None:
    place.admin.sites.set_state(1, SiteState.PAUSED)
    place.held("instance-1", 2)
    found = place.service().overview(OWNER)
    assert [cause.kind for cause in found.causes] == ["paused", "held"]
    assert (found.held, found.hours[-1].held, found.hours[-1].accepted) == (2, 2, None)


def test_hours_tell_what_came_what_crossed_and_how_long_it_took(place: Place) -> None:
    counts = {("wix", "stored", ""): 5, ("shop-1", "rejected", "signature"): 2}
    news = [SourceNews("wix", accepted_ago=10.0), SourceNews("shop-1", refused_ago=5.0)]
    place.admin.door_counts.add(DoorNews(counts, news))
    for age in range(1, 21):
        place.ended(float(age), 7200.0)
    found = place.service().overview(GRACE)
    assert (found.hours[-1].accepted, found.hours[-1].refused) == (5, 2)
    earlier = found.hours[-3]
    assert (earlier.crossed, earlier.held) == (20, 0)
    assert earlier.age_p95_seconds == pytest.approx(20.0, abs=1.1)
    names = {source.name: source.accepted_at is not None for source in found.sources}
    assert names == {"shop-1": False, "wix": True}
    assert [source.name for source in place.service().overview(OWNER).sources] == ["shop-1"]


def test_site_counts_what_was_written_for_it(place: Place) -> None:
    now = place.admin.questions.now()
    line = {"what": "update", "side": "wix", "at": now}
    with place.engine.begin() as connection:
        connection.execute(insert(history), [{"site_id": 1, **line}, {"site_id": 2, **line}])
    assert place.service().overview(OWNER).hours[-1].crossed == 1


def test_many_who_look_at_once_ask_the_ledger_once(place: Place) -> None:
    service, asked = place.service(), list[str]()
    first = service.overview(GRACE)

    def note(connection: object, cursor: object, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(place.engine, "before_cursor_execute", note)
    assert service.overview(Who("linus", Role.SUPPORT)) == first
    assert asked == []
    place.now += 5.0
    service.overview(GRACE)
    event.remove(place.engine, "before_cursor_execute", note)
    # Hours that are over are known.
    counted = [one for one in asked if "FROM inbox" in one]
    assert counted
    assert all("LIMIT" in one for one in counted)


def test_nothing_that_runs_comes_before_all_else(place: Place) -> None:
    with place.engine.begin() as connection:
        connection.execute(text("UPDATE heartbeat SET seen_at = 1"))
    place.held("instance-1", 1)
    found = place.service().overview(GRACE)
    assert found.sentence == "Nothing runs"
    assert [cause.kind for cause in found.causes] == ["nothing_runs", "held"]
    assert place.service().overview(OWNER).causes[0].lines[0].next_step.startswith("nothing to do")
