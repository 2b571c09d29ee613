"""A delivery of a site in a state that only a newer version knows: left to its workers.

But for a request to be forgotten, which no state delays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from sync_worker.core.errors import OfNewerVersion
from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.ports.remote import Connection
from sync_worker.core.values import Change, NewAccount, Person, Side, Site
from sync_worker.intake.intake import Intake
from sync_worker.ledger.accounts.changing import insert_account
from sync_worker.ledger.sql_ledger import sql_ledger
from tests.factories import a_record
from tests.integration.ledger.ground import ADA, BOB, Ground
from tests.twins.memory_guard import MemoryGuard
from tests.twins.memory_people import MemoryPeople
from tests.twins.memory_remote import MemoryRemote
from tests.twins.observed_ledger import ObservedLedger
from tests.unit.intake.test_slots import Nobody

SITE = "UPDATE site SET state = 'of_tomorrow'"
ACCOUNT = "UPDATE account SET state = 'of_tomorrow'"


@pytest.fixture
def ground(ledgers: list[ObservedLedger]) -> Ground:
    """Its site has an account."""
    made = Ground(ledgers[0], None).set_up()
    given = NewAccount("a1", made.site_id, "own-service", "shop-1", {}, {})
    with made.ledger.transactions.write() as connection:
        insert_account(connection, given, 1)
        connection.execute(text("UPDATE site SET external_source = 'own-service/a1'"))
    return made


class SilentBell:
    """Nobody works on what it would ring for."""

    def ring(self, inbox_ids: object) -> None:
        return


@dataclass
class Shop:
    """Both sides in memory."""

    remotes: dict[Side, MemoryRemote] = field(
        default_factory=lambda: {side: MemoryRemote(side) for side in Side}
    )

    def rate(self, ground: Ground) -> None:
        """A rating of Ada's crosses."""
        rated = a_record(Side.WIX, 1, person=Person(ADA.contact_id, email=ADA.email))
        self.remotes[Side.WIX].records["w1"] = rated
        crossed = intake_of(ground, self).process(ground.stored(1, remote_id="w1", revision=3))
        assert crossed.kind is OutcomeKind.SYNCED
        for remote in self.remotes.values():
            remote.calls.clear()

    def connect(self, known: Site) -> Connection:
        people = MemoryPeople({ADA.contact_id: ADA})
        return Connection(self.remotes, people)


def become(ground: Ground, words: str) -> None:
    with ground.ledger.transactions.write() as connection:
        connection.execute(text(words))


def intake_of(ground: Ground, shop: Shop | None = None) -> Intake:
    """An older worker's; without a shop nobody may be asked."""
    nobody = Nobody()
    connect = nobody if shop is None else shop.connect
    ledger = sql_ledger(ground.ledger.engine, site_cache_seconds=0.0)
    more = (connect, nobody, lambda: uuid4().hex)
    return Intake(ledger, MemoryGuard(), SilentBell(), *more)  # type: ignore[arg-type]


def rows(ground: Ground) -> list[Any]:
    with ground.ledger.transactions.read() as connection:
        asked = ("SELECT * FROM inbox", "SELECT state FROM site", "SELECT state FROM account")
        return [connection.execute(text(one)).all() for one in asked]


@pytest.mark.parametrize("words", [SITE, ACCOUNT], ids=["site", "account"])
@pytest.mark.parametrize("change", [Change.UPSERT, Change.DELETE, Change.APP_REMOVED])
def test_its_delivery_is_left_as_it_is(ground: Ground, words: str, change: Change) -> None:
    inbox_id = ground.stored(1, change=change)
    become(ground, words)
    before = rows(ground)
    with pytest.raises(OfNewerVersion):
        intake_of(ground).process(inbox_id)
    assert rows(ground) == before


@pytest.mark.parametrize("words", [SITE, ACCOUNT], ids=["site", "account"])
def test_who_asks_is_forgotten_at_once_on_both_sides(ground: Ground, words: str) -> None:
    shop = Shop()
    shop.rate(ground)
    asked = {"change": Change.CONTACT_DELETED, "remote_id": ADA.contact_id, "privacy": True}
    inbox_id = ground.stored(2, **asked)
    become(ground, words)
    assert str(intake_of(ground, shop).process(inbox_id)) == "done erased"
    left = ground.ledger.everything()
    assert [one for one in (ADA.email, ADA.contact_id) if str(one) in left] == []
    assert [remote.records for remote in shop.remotes.values()] == [{}, {}]


@pytest.mark.parametrize("words", [SITE, ACCOUNT], ids=["site", "account"])
def test_merge_that_names_who_asked_does_not_wait_either(ground: Ground, words: str) -> None:
    shop = Shop()
    shop.rate(ground)
    asked = {"change": Change.CONTACT_DELETED, "remote_id": ADA.contact_id, "privacy": True}
    assert str(intake_of(ground, shop).process(ground.stored(2, **asked))) == "done erased"
    merges = [
        ground.stored(
            number,
            change=Change.CONTACT_MERGED,
            remote_id=target,
            payload={"sources": [source], "target": target},
        )
        for number, source, target in [(3, BOB.contact_id, ADA.contact_id), (4, "eve", "eva")]
    ]
    become(ground, words)
    intake = intake_of(ground, shop)
    assert intake.process(merges[0]).kind is not OutcomeKind.HELD
    assert ground.ledger.inbox.open_delivery(merges[0]) is None
    with pytest.raises(OfNewerVersion):
        intake.process(merges[1])


@pytest.mark.parametrize("words", [SITE, ACCOUNT], ids=["site", "account"])
def test_site_that_changes_meanwhile_waits_and_nothing_is_held(ground: Ground, words: str) -> None:
    """It was of this version as the delivery was opened."""
    shop = Shop()
    shop.rate(ground)
    inbox_id = ground.stored(2, remote_id="w1", revision=4)
    intake = intake_of(ground, shop)
    outcome = intake.process(inbox_id, lambda opened: become(ground, words))
    assert outcome.kind is OutcomeKind.RETRY
    with ground.ledger.transactions.read() as connection:
        asked = text("SELECT state, attempts FROM inbox WHERE id = :id")
        assert tuple(connection.execute(asked, {"id": inbox_id}).one()) == ("new", 0)
    assert all(not remote.calls for remote in shop.remotes.values())
