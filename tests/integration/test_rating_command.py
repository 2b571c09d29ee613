"""``ratings-sync rating``: what a person decides about one rating, as a command."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync_worker.cli.options import actor
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Base,
    Contact,
    EntityRef,
    HistoryEntry,
    HistoryKind,
    InboxState,
    Known,
    LinkState,
    RatingKey,
    Side,
    Slot,
)
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.deciding.decisions import SqlDecisions
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sql_ledger import sql_ledger
from tests.factories import a_delivery
from tests.integration.shell import Shell

pytestmark = pytest.mark.full

ADA = Contact("contact-ada", "ada@example.com", "Ada")


@pytest.fixture
def rated(site: Shell) -> Shell:
    """Ada has 80 on Wix and 4 outside; a line of the history says that 20 was there before."""
    ledger = sql_ledger(open_engine(database_of(site)))
    entity = ledger.directory.add_entity(
        1, EntityRef("beans", "stores", "reviews"), EntityRef("SKU-1")
    )
    ledger.directory.save_contact(1, ADA)
    stored = ledger.inbox.store(a_delivery(1, source="instance-1"))
    run = ledger.links.attach(stored.inbox_id, RatingKey(1, entity.id, "contact-ada")).run
    assert run is not None
    line = HistoryEntry(HistoryKind.UPDATE, Side.WIX, "overall", Decimal(20), Decimal(80))
    change = Commit(
        records={Slot(Side.WIX, "overall"): Known("w1", 1), Slot(Side.EXTERNAL): Known("e1", 1)},
        bases={"overall": Base(Decimal(80), Decimal(4))},
        link_state=LinkState.LIVE,
        history=[line],
        closings={stored.inbox_id: Closing(InboxState.DONE, "synced")},
        release=True,
    )
    ledger.links.commit(run.lease, change)
    ledger.engine.dispose()
    return site


def database_of(shell: Shell) -> str:
    return f"sqlite:///{Path(shell.folder) / 'home' / 'ledger.db'}"


def told(shell: Shell, *words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(shell.good("rating", *words, "--json"))
    return answer


def audit(shell: Shell) -> list[tuple[str, str, str]]:
    changes = json.loads(shell.good("site", "history", "--json"))["changes"]
    return [(one["actor"], one["what"], one["why"]) for one in changes]


def test_rating_is_shown_with_its_version(rated: Shell) -> None:
    shown = told(rated, "show", "r1")
    assert shown["shown"] == {"overall": {"wix": "80", "external": "4"}}
    assert (shown["email"], shown["main"], shown["version"]) == ("ada@example.com", "overall", 1)
    words = rated.good("rating", "show", "1")
    assert "r1 of site 1: live, version 1" in words
    assert "ada@example.com · beans on Wix, SKU-1 outside" in words


def test_decision_is_stored_with_who_and_why(rated: Shell) -> None:
    number = told(rated, "make", "r1", "--side", "wix", "--stars", "60", "--why", "by phone")
    assert number == {"rating": 1, "delivery": 2}
    assert told(rated, "show", "r1")["deciding"] == 2
    assert audit(rated)[0] == (actor(), "rating.make", "by phone")
    again = rated.bad("rating", "undo", "h1", "--why", "why")
    assert "another decision about this rating is on its way (#2)" in again


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["make", "r7", "--side", "wix", "--stars", "60"], "there is no rating r7"),
        (["make", "r1", "--side", "wix", "--stars", "101"], "101 is not on the scale of overall"),
        (["make", "r1", "--side", "wix", "--stars", "quality=3"], "'quality' is not mapped"),
        (["make", "r1", "--side", "wix"], "say what both sides are to show"),
        (["make", "r1", "--side", "wix", "--body", "Good."], "Wix Ratings, which has no words"),
        (
            ["make", "r1", "--side", "wix", "--stars", "60", "--version", "0"],
            "now r1 shows overall 80 on Wix, 4 outside",
        ),
        (["undo", "h7"], "there is no line h7"),
        (["go-on", "r1"], "nobody has stopped r1"),
        (["choose", "1", "--side", "wix"], "delivery #1 is not held"),
    ],
)
def test_what_cannot_be_decided_is_told_and_stores_nothing(
    rated: Shell, words: list[str], message: str
) -> None:
    assert message in rated.bad("rating", *words, "--why", "because")
    assert told(rated, "show", "r1")["deciding"] is None


def test_line_is_undone_compared_and_stopped(rated: Shell) -> None:
    assert "h1" in rated.good("history")
    assert told(rated, "undo", "h1", "--why", "a mistake") == {"rating": None, "delivery": 2}
    assert told(rated, "compare", "1") == {"rating": 1, "delivery": 3}
    assert told(rated, "stop", "1", "--why", "a lawyer asks") == {"rating": 1, "delivery": 4}
    engine = open_engine(database_of(rated))
    ledger = sql_ledger(engine)
    assert [ledger.inbox.open_delivery(number) is not None for number in (2, 3, 4)] == [True] * 3
    decisions = SqlDecisions(ledger.transactions, SiteCache())
    rating = decisions.rating(1)
    engine.dispose()
    assert rating is not None
    assert rating.deciding == 2
