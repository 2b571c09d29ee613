"""The port ``Links``: the intent of a delete, and the brake that counts it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sync_worker.core.errors import LeaseLost
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    HistoryEntry,
    HistoryKind,
    Intent,
    IntentState,
    LinkState,
    Operation,
    Side,
    Slot,
)
from tests.factories import an_intent
from tests.integration.ledger.ground import ADA, BOB, WIX_SLOT, Ground

TAKES_AWAY = [Operation.DELETE, Operation.WITHDRAW]


def a_delete(name: str = "intent-1", **changes: Any) -> Intent:
    gone = {"operation": Operation.DELETE, "targets": {"overall": None}, "remote_id": "e1"}
    return an_intent(name, **{**gone, **changes})


def deleted(ground: Ground, count: int, what: str = HistoryKind.DELETE) -> Any:
    """A leased link, after so many deletes outside."""
    run = ground.link(ADA, 1)
    line = HistoryEntry(HistoryKind(what), Side.EXTERNAL, "overall", intent_id="i")
    ground.ledger.links.commit(run.lease, Commit(history=[line] * count))
    return run


@pytest.mark.parametrize("operation", TAKES_AWAY)
@pytest.mark.parametrize("done", TAKES_AWAY)
def test_twentieth_delete_of_an_hour_is_the_last(
    ground: Ground, done: Operation, operation: Operation
) -> None:
    run, links = deleted(ground, 19, done), ground.ledger.links
    assert links.open_intent(run.lease, a_delete(operation=operation))
    line = HistoryEntry(HistoryKind(operation), Side.EXTERNAL, "overall", intent_id="intent-1")
    links.commit(run.lease, Commit(intent_state=IntentState.CONFIRMED, history=[line]))
    assert not links.open_intent(run.lease, a_delete("intent-2", operation=operation))
    assert ground.ledger.open_intents() == 0


def test_lease_goes_on_where_the_brake_stops_a_delete(ground: Ground) -> None:
    run, links = deleted(ground, 20), ground.ledger.links
    assert not links.open_intent(run.lease, a_delete())
    assert links.open_intent(run.lease, an_intent("intent-2"))
    links.commit(run.lease, Commit(intent_state=IntentState.CONFIRMED, release=True))


def test_brake_stops_nothing_else(ground: Ground) -> None:
    """A delete to the other side, at a person's request, and what takes nothing away."""
    run, links = deleted(ground, 20), ground.ledger.links
    passing = [
        a_delete("intent-1", slot=WIX_SLOT),
        a_delete("intent-2", is_privacy=True),
        an_intent("intent-3", operation=Operation.UPDATE),
    ]
    for intent in passing:
        assert links.open_intent(run.lease, intent), intent.id
        links.commit(run.lease, Commit(intent_state=IntentState.ABANDONED))


def test_delete_counts_while_it_is_under_way(ground: Ground) -> None:
    run, links = deleted(ground, 19), ground.ledger.links
    other = ground.link(BOB, 2)
    assert links.open_intent(other.lease, a_delete("intent-2", remote_id="e2"))
    assert not links.open_intent(run.lease, a_delete())
    links.commit(other.lease, Commit(intent_state=IntentState.ABANDONED))
    assert links.open_intent(run.lease, a_delete())


@pytest.mark.parametrize(
    "uncounted",
    [
        a_delete("intent-2", is_privacy=True),
        a_delete("intent-2", slot=WIX_SLOT),
        an_intent("intent-2", operation=Operation.UPDATE),
    ],
    ids=["privacy", "other side", "update"],
)
def test_other_writes_under_way_do_not_count(ground: Ground, uncounted: Intent) -> None:
    run, links = deleted(ground, 19), ground.ledger.links
    other = ground.link(BOB, 2)
    assert links.open_intent(other.lease, uncounted)
    assert links.open_intent(run.lease, a_delete())


def test_deletes_of_another_site_do_not_count(ground: Ground) -> None:
    deleted(ground, 19)
    links = ground.ledger.links
    site = ground.ledger.add_site("instance-2", "second-service")
    assert site.id != ground.site_id
    assert not links.deletes_exceeded(site.id, Side.EXTERNAL, 19)
    assert links.deletes_exceeded(ground.site_id, Side.EXTERNAL, 1)


def test_deletes_of_the_hour_before_count_no_more(ground: Ground) -> None:
    jump, links = ground.jump, ground.ledger.links
    deleted(ground, 20)
    jump(3601)
    run = links.lease(links.link_id(ground.key))
    assert links.open_intent(run.lease, a_delete())


def test_large_site_lets_five_percent_pass(ground: Ground) -> None:
    run, links = deleted(ground, 22), ground.ledger.links
    for number in range(440):  # 441 with the leased one: five percent are 22.05
        links.link_of(replace(ground.key, contact_id=f"contact-{number}"))
    links.commit(run.lease, Commit(link_state=LinkState.LIVE))
    assert links.open_intent(run.lease, a_delete())
    other = ground.link(BOB, 2)
    assert not links.open_intent(other.lease, a_delete("intent-2", remote_id="e2"))


def test_lost_lease_is_told_before_the_brake(ground: Ground) -> None:
    """What is held without a lease would be taken from the hands of another run."""
    run, links = deleted(ground, 20), ground.ledger.links
    links.release(run.lease)
    assert links.lease(run.lease.link_id) is not None
    with pytest.raises(LeaseLost):
        links.open_intent(run.lease, a_delete())


def test_delete_under_an_older_lease_is_braked_and_renewed_alike(ground: Ground) -> None:
    jump, links = ground.jump, ground.ledger.links
    run = deleted(ground, 19)
    jump(10)
    assert links.open_intent(run.lease, a_delete())
    jump(10)
    links.commit(run.lease, Commit(intent_state=IntentState.ABANDONED))
    line = HistoryEntry(HistoryKind.DELETE, Side.EXTERNAL, "overall", intent_id="i")
    links.commit(run.lease, Commit(history=[line]))
    assert not links.open_intent(run.lease, a_delete("intent-2"))
    jump(10)
    links.commit(run.lease, Commit(release=True))
    assert Slot(Side.EXTERNAL) in links.lease(run.lease.link_id).link.records
