"""The port ``Unlinked``: by what people find a delivery without a link, and when that goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.values import Change, InboxState, SearchKeys, Side
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.ledger.console.tables import unlinked
from tests.integration.ledger.ground import BOB, Ground

KEYS = SearchKeys(BOB.email, None, "Bob  Bünting", "sku-9")
# The ledger in memory keeps no keys.
pytestmark = pytest.mark.parametrize("ground", ["sqlite", "postgresql"], indirect=True)


def held(ground: Ground, number: int, shown: SearchKeys = KEYS, **changes: Any) -> int:
    """A thin delivery from outside that waits for its product."""
    thin = {"side": Side.EXTERNAL, "source": "own-service", "payload": {}}
    inbox_id = ground.stored(number, **(thin | {"remote_id": f"e{number}"} | changes))
    ground.ledger.unlinked.note(ground.site_id, inbox_id, shown)
    ground.ledger.inbox.hold([inbox_id], "unknown_entity", hold_key="entity:external::sku-9")
    return inbox_id


def keys(ground: Ground) -> Sequence[Any]:
    with ground.ledger.engine.connect() as connection:
        return list(connection.execute(select(unlinked).order_by(unlinked.c.inbox_id)))


def forget_bob(ground: Ground) -> None:
    asked = ground.stored(99, change=Change.CONTACT_DELETED, remote_id=BOB.contact_id, privacy=True)
    ground.ledger.merges.hint_erasure(ground.site_id, BOB.contact_id, asked)
    ground.ledger.merges.erase_contact(ground.site_id, BOB.contact_id, asked)


def test_thin_delivery_is_kept_with_what_its_record_showed(ground: Ground) -> None:
    inbox_id = held(ground, 5)
    (row,) = keys(ground)
    assert (row.inbox_id, row.site_id, row.entity_id) == (inbox_id, ground.site_id, "sku-9")
    assert (row.name, row.name_key) == ("Bob  Bünting", "bob bünting")
    assert str(BOB.email) not in ground.ledger.everything()


@pytest.mark.parametrize(
    "shown",
    [KEYS, replace(KEYS, email="BOB@example.com"), SearchKeys(None, BOB.contact_id, "Bob Bünting")],
    ids=["address", "address in other letters", "contact"],
)
def test_privacy_request_leaves_no_key_of_the_person(ground: Ground, shown: SearchKeys) -> None:
    """Also where the delivery itself never named them."""
    ground.ledger.directory.save_contact(ground.site_id, BOB)
    held(ground, 5, shown)
    skipped = ground.stored(6, remote_id="w6", payload={})
    ground.ledger.unlinked.note(ground.site_id, skipped, shown)
    ground.ledger.inbox.close(skipped, Closing(InboxState.DONE, "contact_skipped"))
    other = held(ground, 7, SearchKeys("ada@example.com", None, "Ada"))
    forget_bob(ground)
    assert [row.inbox_id for row in keys(ground)] == [other]
    left = ground.ledger.everything()
    assert [word for word in ("Bünting", "bünting", "'e5'", "'w6'") if word in left] == []


def test_record_that_names_no_address_is_found_by_its_name(ground: Ground) -> None:
    held(ground, 5, SearchKeys(name="Bob"))
    assert [row.name_key for row in keys(ground)] == ["bob"]


def test_nothing_is_kept_of_somebody_who_was_erased(ground: Ground) -> None:
    ground.ledger.directory.save_contact(ground.site_id, BOB)
    forget_bob(ground)
    held(ground, 5)
    held(ground, 6, SearchKeys(None, BOB.contact_id, "Bob"))
    assert keys(ground) == []


def test_erasing_the_last_rating_of_a_person_forgets_their_keys(ground: Ground) -> None:
    run = ground.link(BOB, 1)
    held(ground, 5)
    ground.erase(run)
    assert keys(ground) == []


def test_key_goes_with_the_content_of_its_delivery(ground: Ground) -> None:
    """A word that was gathered into a newer one, and what the retention empties."""
    held(ground, 5, remote_id="e5", revision=1)
    newest = held(ground, 6, remote_id="e5", revision=2)
    assert [row.inbox_id for row in keys(ground)] == [newest]
    ended = ground.stored(7, remote_id="w7")
    ground.ledger.unlinked.note(ground.site_id, ended, KEYS)
    ground.ledger.inbox.close(ended, Closing(InboxState.DONE, "entity_skipped"))
    keep = Retention(payload_days=-1)
    assert dict(LedgerRetention(ground.ledger.engine).prune(keep))["payloads"] == 1
    assert [row.inbox_id for row in keys(ground)] == [newest]


def test_delivery_that_has_left_the_workers_hands_is_not_noted(ground: Ground) -> None:
    inbox_id = held(ground, 5, SearchKeys())
    ground.ledger.unlinked.note(ground.site_id, inbox_id, KEYS)
    assert keys(ground) == []
