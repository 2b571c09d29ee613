"""What a contact event says, and what became of a contact that was deleted. Pure."""

from __future__ import annotations

import pytest

from sync_worker.core.values import Change, Contact, Delivery, Merge, NewDelivery, Side
from sync_worker.intake.contact_events import (
    ContactNews,
    DeletedContact,
    fate_of_deleted,
    news_of,
)


def a_contact_event(change: Change, *, privacy: bool = False, from_merge: bool = False) -> Delivery:
    payload = {"originatedFrom": "merge"} if from_merge else {}
    new = NewDelivery(Side.WIX, "instance-1", "e1", change, "ada", payload, privacy=privacy)
    return Delivery(1, new)


@pytest.mark.parametrize(
    ("delivery", "news"),
    [
        (a_contact_event(Change.CONTACT_CHANGED), ContactNews.PRESENT),
        (a_contact_event(Change.CONTACT_CHANGED, privacy=True), ContactNews.ANONYMISED),
        (a_contact_event(Change.CONTACT_MERGED), ContactNews.MERGED),
        (a_contact_event(Change.CONTACT_DELETED), ContactNews.DELETED),
        (a_contact_event(Change.CONTACT_DELETED, privacy=True), ContactNews.ERASURE_ASKED),
        (
            a_contact_event(Change.CONTACT_DELETED, privacy=True, from_merge=True),
            ContactNews.DELETED,
        ),
    ],
)
def test_contact_event_says_one_thing(delivery: Delivery, news: ContactNews) -> None:
    """A deletion that follows a merge is no request of the person to be forgotten."""
    assert news_of(delivery) is news


@pytest.mark.parametrize(
    ("found", "from_merge", "fate"),
    [
        (Contact("bob"), False, Merge(("ada",), "bob")),
        (Contact("bob"), True, Merge(("ada",), "bob")),
        (Contact("ada"), False, DeletedContact.STAYS),
        (None, True, DeletedContact.STAYS),
        (None, False, DeletedContact.GONE),
    ],
)
def test_deleted_contact_is_forgotten_only_if_it_is_nowhere(
    found: Contact | None, from_merge: bool, fate: Merge | DeletedContact
) -> None:
    """What Wix shows for the id decides; without it, a merge event is still to come."""
    delivery = a_contact_event(Change.CONTACT_DELETED, from_merge=from_merge)
    assert fate_of_deleted(delivery, found) == fate
