"""What the stand-in Wix tells of reviews, as a listener gets it: signed, over real HTTP."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from sync_sandbox.wix.events import OWNER
from sync_sandbox.wix.reviews.moderation import APPROVED, REJECTED, Mode
from sync_sandbox.wix.state import WixState
from tests.integration.listener import Listener

APP = {"identityType": "APP", "appId": "sandbox-app"}
MEMBER = {"identityType": "MEMBER", "memberId": "visitor"}


class Told:
    """A stand-in Wix, and the events that came since last asked."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.wix = WixState(webhook_url=listener.url)
        self._read = 0

    @property
    def reviews(self) -> Any:
        return self.wix.reviews

    def events(self) -> dict[str, dict[str, Any]]:
        """By slug: what the event carries, with its envelope under ``envelope``."""
        assert self.wix.webhooks.flush(10)
        bodies = [body for _, _, body in self.listener.got[self._read :]]
        self._read += len(bodies)
        read = [self._event(body) for body in bodies]
        assert len({one["id"] for one in read}) == len(read)
        return {one["slug"]: one for one in read}

    def _event(self, body: bytes) -> dict[str, Any]:
        claims = jwt.decode(body, self.wix.public_key, algorithms=["RS256"])
        envelope = json.loads(claims["data"])
        event = json.loads(envelope["data"])
        assert event["entityFqdn"] == "wix.reviews.v1.review"
        assert envelope["eventType"] == f"wix.reviews.v1.review_{event['slug']}"
        return {**event, "envelope": envelope}


@pytest.fixture(scope="module")
def told_to_all() -> Iterator[Told]:
    listener = Listener()
    made = Told(listener)
    yield made
    made.wix.webhooks.stop()
    listener.served.stop()


@pytest.fixture
def told(told_to_all: Told) -> Told:
    told_to_all.wix.faults.clear()
    told_to_all.reviews.mode = Mode.OFF
    return told_to_all


@pytest.fixture
def draft(told: Told) -> dict[str, Any]:
    contact = told.wix.contacts or {told.wix.add_contact(None, "Ana")["id"]: {}}
    told.wix.webhooks.flush(10)
    told._read = len(told.listener.got)
    return {
        "namespace": "stores",
        "entityId": str(uuid.uuid4()),
        "author": {"contactId": next(iter(contact)), "authorName": "Ana M."},
        "content": {"rating": 4, "title": "Good", "body": 'Sturdy "mug" 👍 \\ \ud83d'},
    }


def sequences(events: dict[str, dict[str, Any]]) -> dict[str, int]:
    return {slug: int(one["entityEventSequence"]) for slug, one in events.items()}


def test_published_create_is_three_events_of_one_revision(
    told: Told, draft: dict[str, Any]
) -> None:
    made = told.reviews.create(draft, APP)
    events = told.events()
    assert sequences(events) == {
        "created": 1,
        "moderation_status_changed": 2,
        "review_published": 3,
    }
    assert {one["entityId"] for one in events.values()} == {made["id"]}
    moderation = events["moderation_status_changed"]["actionEvent"]["body"]
    assert moderation == {"review": made, "previousModerationStatus": "SUBMITTED"}
    assert events["created"]["createdEvent"] == {"entity": made}
    assert events["review_published"]["actionEvent"] == {"body": {"review": made}}
    assert json.loads(events["created"]["envelope"]["identity"]) == APP
    assert "identity" not in events["moderation_status_changed"]["envelope"], "a rule did it"


def test_each_later_act_has_its_event(told: Told, draft: dict[str, Any]) -> None:
    told.reviews.mode = Mode.MANUAL
    made = told.reviews.create(draft, MEMBER)
    assert sorted(told.events()) == ["created", "moderation_status_changed"]
    approved = told.reviews.moderate(made["id"], APPROVED, OWNER)
    events = told.events()
    assert sequences(events) == {"moderation_status_changed": 3, "review_published": 4}
    body = events["moderation_status_changed"]["actionEvent"]["body"]
    assert body == {"review": approved, "previousModerationStatus": "IN_MODERATION"}
    told.reviews.moderate(made["id"], REJECTED, OWNER)
    assert sequences(told.events()) == {"moderation_status_changed": 5}
    told.reviews.moderate(made["id"], REJECTED, OWNER)
    assert told.events() == {}, "nothing changed"
    changes = {"content": {"rating": 1}}
    edited = told.reviews.update(made["id"], changes, MEMBER, is_client=False)
    assert told.events()["updated"]["updatedEvent"] == {"currentEntity": edited}
    replied = told.reviews.reply(made["id"], "Thanks", OWNER)
    assert told.events()["updated"]["updatedEvent"] == {"currentEntity": replied}
    told.reviews.vote(made["id"], MEMBER, is_helpful=True)
    assert told.events() == {}, "a vote is told only with its switch"
    gone = told.reviews.delete(made["id"], MEMBER, privacy=True)
    deleted = told.events()["deleted"]
    assert deleted["deletedEvent"] == {"deletedEntity": gone}
    assert deleted["triggeredByAnonymizeRequest"] is True


def test_quirks_of_events(told: Told, draft: dict[str, Any]) -> None:
    quirks = ("entity_as_json", "identity_missing", "no_previous_status", "votes_emit_updated")
    for name in (*quirks, "revision_as_number"):
        told.wix.faults.set(name, chance=1.0)
    made = told.reviews.create(draft, APP)
    events = told.events()
    assert json.loads(events["created"]["createdEvent"]["entityAsJson"])["revision"] == 1
    body = json.loads(events["moderation_status_changed"]["actionEvent"]["bodyAsJson"])
    assert sorted(body) == ["review"]
    assert body["review"]["revision"] == 1
    assert all("identity" not in one["envelope"] for one in events.values())
    told.reviews.vote(made["id"], MEMBER, is_helpful=True)
    assert "currentEntityAsJson" in told.events()["updated"]["updatedEvent"]
    told.wix.faults.set("delete_event_is_empty", next=1)
    told.reviews.delete(made["id"], MEMBER)
    assert told.events()["deleted"]["deletedEvent"] == {}


def test_faults_of_webhooks_strike_here_too(told: Told, draft: dict[str, Any]) -> None:
    told.wix.faults.set("webhook_dropped", next=2)
    made = told.reviews.create(draft, APP)
    assert sorted(told.events()) == ["review_published"]
    told.wix.webhooks.again(made["id"])
    assert sorted(told.events()) == ["review_published"], "only what was sent comes again"
