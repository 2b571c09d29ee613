"""A pause with an end, on both databases: the site goes on by itself, and nothing stays held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, update

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Change, NewDelivery, Side, SiteState
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.console.pause_rows import site_pause
from sync_worker.ledger.console.pauses import TIME_IS_OVER, SqlPauses
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import site
from sync_worker.services.access.who import Forbidden, Role, Who
from sync_worker.services.sites.pausing import Pausing

GRACE = Who("grace", Role.ADMIN)
OWNER = Who("owner of 1", Role.OWNER, 1)
TOMORROW = "of_tomorrow"


@dataclass
class Shop:
    engine: Engine
    admin: LedgerAdmin

    @property
    def state(self) -> SiteState:
        return self.admin.sites.find("1").state

    @property
    def pausing(self) -> Pausing:
        return Pausing(self.admin)

    @property
    def pauses(self) -> SqlPauses:
        return SqlPauses(self.admin.transactions)

    def paused(self, seconds: float = 3600.0) -> None:
        until = self.admin.questions.now() + seconds
        self.pausing.pause(GRACE, 1, "a sale begins", until)

    def let_time_pass(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(site_pause).values(until=1.0))

    def held(self) -> int:
        new = NewDelivery(Side.WIX, "instance-1", "w-1", Change.UPSERT, "rating-1", {})
        inbox = sql_ledger(self.engine).inbox
        inbox_id = int(inbox.store(new).inbox_id)
        inbox.hold([inbox_id], "site_paused")
        return inbox_id

    @property
    def noted(self) -> list[tuple[str, str, str]]:
        entries = SqlAudit(self.admin.transactions).of_site(1)[::-1]
        return [(entry.what, entry.actor, entry.why) for entry in entries]


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    engine = open_engine(request.getfixturevalue(request.param))
    admin = ledger_admin(engine)
    admin.sites.add("instance-1", "own-service", [])
    yield Shop(engine, admin)
    engine.dispose()


def test_site_goes_on_by_itself_once_its_time_is_over(shop: Shop) -> None:
    shop.paused()
    held = shop.held()
    assert (shop.pauses.resume_due(), shop.state) == ([], SiteState.PAUSED)
    shop.let_time_pass()
    assert shop.pauses.resume_due() == [[held]]
    assert shop.state is SiteState.ACTIVE
    assert shop.pauses.of(1) is None
    assert shop.pauses.resume_due() == []
    assert shop.noted == [
        ("site.pause", "grace", "a sale begins"),
        ("site.resume", "ratings-sync", TIME_IS_OVER),
    ]


def test_pause_is_shown_with_its_reason_and_its_end(shop: Shop) -> None:
    shop.paused(600.0)
    pause = shop.pauses.of(1)
    assert pause is not None
    assert pause.until is not None
    assert (pause.why, pause.actor) == ("a sale begins", "grace")
    assert 590 < pause.until - pause.paused_at < 610


def test_site_in_recovery_recovers_on_after_its_pause(shop: Shop) -> None:
    """A pause that ends by itself lets nothing be deleted that a person has not allowed."""
    shop.admin.sites.set_state(1, SiteState.RECOVERY)
    shop.paused()
    shop.let_time_pass()
    shop.pauses.resume_due()
    assert shop.state is SiteState.RECOVERY
    shop.paused()
    assert shop.pausing.resume(GRACE, 1).state is SiteState.RECOVERY
    assert shop.pausing.resume(GRACE, 1).state is SiteState.ACTIVE


def test_site_that_waits_for_a_baseline_goes_on_in_recovery(shop: Shop) -> None:
    shop.paused()
    with shop.engine.begin() as connection:
        connection.execute(update(site).values(wix_api_since=1.0))
    shop.let_time_pass()
    shop.pauses.resume_due()
    assert shop.state is SiteState.RECOVERY


def test_what_a_dead_worker_left_held_is_released_with_the_next_tick(shop: Shop) -> None:
    """It died after the site went on, and before the deliveries did."""
    shop.paused()
    held = shop.held()
    with shop.engine.begin() as connection:
        connection.execute(update(site).values(state="active"))
    shop.let_time_pass()
    assert shop.pauses.resume_due() == [[held]]
    assert shop.noted == [("site.pause", "grace", "a sale begins")]


@pytest.mark.parametrize("words", [{"state": TOMORROW}, {"state_before": TOMORROW}], ids=str)
def test_pause_that_only_a_newer_version_can_end_is_left_to_it(
    shop: Shop, words: dict[str, str]
) -> None:
    """Its row is what the newer version finds it by; and it holds up no other site."""
    shop.paused()
    shop.admin.sites.add("instance-2", "other-service", [])
    shop.pausing.pause(GRACE, 2, "", shop.admin.questions.now() + 3600.0)
    shop.let_time_pass()
    table = site if "state" in words else site_pause
    number = site.c.id if "state" in words else site_pause.c.site_id
    with shop.engine.begin() as connection:
        connection.execute(update(table).where(number == 1).values(words))
    before = (str(shop.state), shop.pauses.of(1))
    shop.pauses.resume_due()
    assert (str(shop.state), shop.pauses.of(1)) == before
    assert before[1] is not None
    assert (shop.admin.sites.find("2").state, shop.pauses.of(2)) == (SiteState.ACTIVE, None)


@pytest.mark.parametrize("who", [GRACE, OWNER], ids=["admin", "owner"])
@pytest.mark.parametrize("words", [{"state": TOMORROW}, {"state_before": TOMORROW}], ids=str)
def test_nobody_resumes_into_what_only_a_newer_version_knows(
    shop: Shop, words: dict[str, str], who: Who
) -> None:
    shop.paused()
    with shop.engine.begin() as connection:
        connection.execute(update(site if "state" in words else site_pause).values(words))
    before = (str(shop.state), shop.pauses.of(1))
    with pytest.raises(Misconfigured, match="newer version"):
        shop.pausing.resume(who, 1)
    assert (str(shop.state), shop.pauses.of(1)) == before


def test_resumed_or_removed_site_forgets_when_its_pause_would_end(shop: Shop) -> None:
    shop.paused()
    shop.pausing.resume(GRACE, 1)
    assert shop.pauses.of(1) is None
    shop.paused()
    shop.admin.sites.set_state(1, SiteState.REMOVED)
    assert shop.pauses.resume_due() == []
    assert shop.state is SiteState.REMOVED


def test_pause_without_an_end_replaces_one_that_has_it(shop: Shop) -> None:
    shop.paused()
    shop.pausing.pause(GRACE, 1, "for longer")
    pause = shop.pauses.of(1)
    assert pause is not None
    assert (pause.until, pause.why) == (None, "for longer")
    assert shop.noted[-1] == ("site.pause", "grace", "for longer")


def test_time_that_is_over_or_far_away_is_refused(shop: Shop) -> None:
    now = shop.admin.questions.now()
    with pytest.raises(Misconfigured, match="is over already"):
        shop.pausing.pause(GRACE, 1, "", now - 60)
    with pytest.raises(Misconfigured, match="a year at most"):
        shop.pausing.pause(GRACE, 1, "", now + 400 * 86_400)
    assert shop.state is SiteState.ACTIVE


def test_owner_pauses_the_own_site_and_ends_no_recovery(shop: Shop) -> None:
    shop.admin.sites.add("instance-2", "other", [])
    assert shop.pausing.pause(OWNER, 1).state is SiteState.PAUSED
    assert shop.pausing.resume(OWNER, 1).state is SiteState.ACTIVE
    with pytest.raises(Forbidden):
        shop.pausing.pause(OWNER, 2)
    shop.admin.sites.set_state(1, SiteState.RECOVERY)
    with pytest.raises(Misconfigured, match="whoever runs this installation"):
        shop.pausing.resume(OWNER, 1)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT])
def test_others_pause_nothing(shop: Shop, role: Role) -> None:
    with pytest.raises(Forbidden):
        shop.pausing.pause(Who("eve", role), 1)
