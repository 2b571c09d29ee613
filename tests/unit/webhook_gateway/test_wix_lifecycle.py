"""What Wix tells of the app's key, of people and of sites that change, and odd ids and words."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Merge, NewDelivery
from sync_worker.core.words import is_storable
from sync_worker.remotes.wix.events import merge_of_event
from sync_worker.remotes.wix.public_keys import load_public_keys
from tests.unit.signed import (
    APP_ID,
    OTHER_KEY,
    a_token,
    an_envelope,
    an_event,
    claims,
    pem,
)
from tests.unit.webhook_gateway.wix_door import accepted, read
from webhook_gateway.wix import Ignored, Rejected, read_delivery

# -- the public key


def test_key_is_read_in_every_form_that_people_paste() -> None:
    plain = pem()
    forms = [
        plain,
        plain.replace("\n", "\\n"),
        base64.b64encode(plain.encode()).decode(),
        f"  {plain}  ",
    ]
    for form in forms:
        assert isinstance(read_delivery(a_token(), load_public_keys(form), APP_ID), NewDelivery)


def test_two_keys_serve_at_once_while_one_replaces_the_other() -> None:
    keys = load_public_keys(pem(OTHER_KEY) + "\n" + pem())
    assert isinstance(read_delivery(a_token(), keys, APP_ID), NewDelivery)
    assert isinstance(read_delivery(a_token(key=OTHER_KEY), keys, APP_ID), NewDelivery)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        base64.b64encode(b"x").decode(),
    ],
)
def test_key_that_is_none_is_refused_with_words(text: str) -> None:
    with pytest.raises(Misconfigured, match="WIX_PUBLIC_KEY"):
        load_public_keys(text)


# -- people and sites that change


def a_contact_event(slug: str, **parts: Any) -> bytes:
    event = {
        "id": "e-1",
        "entityFqdn": "wix.contacts.v4.contact",
        "slug": slug,
        "entityId": "contact-1",
        **parts,
    }
    return a_token(claims(an_envelope(event)))


MERGED = {
    "targetContactId": "contact-1",
    "sourceContactIds": ["contact-2"],
    "targetContact": {"id": "contact-1"},
}
CONTACT_EVENTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "created": ("created", {"createdEvent": {"entity": {"id": "contact-1"}}}, "contact_changed"),
    "updated": (
        "updated",
        {"updatedEvent": {"currentEntity": {"id": "contact-1"}}},
        "contact_changed",
    ),
    "deleted": ("deleted", {"deletedEvent": {}}, "contact_deleted"),
    "deleted, without a body": ("deleted", {}, "contact_deleted"),
    "merged": ("merged", {"actionEvent": {"body": MERGED}}, "contact_merged"),
    "merged, older form": (
        "merged",
        {"actionEvent": {"bodyAsJson": json.dumps(MERGED)}},
        "contact_merged",
    ),
    "merge, as one guide spells it": ("merge", {"actionEvent": {"body": MERGED}}, "contact_merged"),
}


@pytest.mark.parametrize("name", sorted(CONTACT_EVENTS))
def test_contact_event_becomes_a_delivery(name: str) -> None:
    slug, parts, change = CONTACT_EVENTS[name]
    delivery = accepted(a_contact_event(slug, **parts))
    assert (delivery.change, delivery.remote_id, delivery.privacy) == (change, "contact-1", False)
    if change == "contact_merged":
        assert merge_of_event(delivery.payload) == Merge(("contact-2",), "contact-1")


def test_contact_deletion_after_a_privacy_request_is_marked() -> None:
    assert accepted(a_contact_event("deleted", triggeredByAnonymizeRequest=True)).privacy


def test_merge_that_names_no_source_is_none() -> None:
    assert (
        merge_of_event(
            {"actionEvent": {"body": {"targetContactId": "a", "sourceContactIds": ["a", 5]}}}
        )
        is None
    )
    assert merge_of_event({"actionEvent": {"bodyAsJson": "{"}}) is None


def an_app_event(event_type: str, inner: Any = None, **changes: Any) -> bytes:
    inner = {"appId": APP_ID} if inner is None else inner
    envelope = {"eventType": event_type, "instanceId": "instance-1", "data": json.dumps(inner)}
    return a_token(claims(envelope, **changes))


@pytest.mark.parametrize(
    ("event_type", "change"), [("AppInstalled", "app_installed"), ("AppRemoved", "app_removed")]
)
def test_app_event_becomes_a_delivery_of_its_instance(event_type: str, change: str) -> None:
    delivery = accepted(an_app_event(event_type, iat=1_767_323_045))
    assert (delivery.change, delivery.source, delivery.remote_id) == (
        change,
        "instance-1",
        "instance-1",
    )
    assert delivery.event_time is not None
    assert delivery.event_time.timestamp() == 1_767_323_045


def test_second_installation_is_another_event_and_a_redelivery_is_not() -> None:
    first, again = (
        accepted(an_app_event("AppInstalled", iat=5)),
        accepted(an_app_event("AppInstalled", iat=5)),
    )
    second = accepted(an_app_event("AppInstalled", iat=6))
    assert first.dedupe_id == again.dedupe_id != second.dedupe_id


def test_event_of_another_app_is_ignored() -> None:
    assert isinstance(read(an_app_event("AppRemoved", {"appId": "somebody-else"})), Ignored)


@pytest.mark.parametrize(
    ("slug", "status", "change"),
    [
        ("created", "INSTALLED", "app_installed"),
        ("updated", "INSTALLED", "app_installed"),
        ("updated", "UNINSTALLED", "app_removed"),
        ("deleted", None, "app_removed"),
    ],
)
def test_newer_installation_event_says_the_same(slug: str, status: str | None, change: str) -> None:
    part = {"created": "createdEvent", "updated": "updatedEvent"}.get(slug, "deletedEvent")
    body = (
        {"entity" if slug == "created" else "currentEntity": {"status": status}} if status else {}
    )
    fqdn = "wix.app.installations.v1.app_installation"
    event = {
        "id": "e-1",
        "entityFqdn": fqdn,
        "slug": slug,
        "entityId": "installation-1",
        part: body,
    }
    delivery = accepted(a_token(claims(an_envelope(event))))
    assert (delivery.change, delivery.remote_id) == (change, "instance-1")


@pytest.mark.parametrize("entity_id", ["a\x00b", "\ud83d", "a" * 65, "a" * 5000])
def test_signed_id_that_can_name_nothing_is_stored_by_its_digest(entity_id: str) -> None:
    delivery = accepted(a_token(claims(an_envelope(an_event(entityId=entity_id)))))
    assert re.fullmatch("unusable:[0-9a-f]{32}", delivery.remote_id)
    assert is_storable(str(delivery.payload))


@pytest.mark.parametrize("event_id", ["a\x00b", "\ud83d", "e" * 5000, 5, ["e"]])
def test_event_of_an_odd_id_is_known_by_its_content(event_id: object) -> None:
    dedupe_id = accepted(a_token(claims(an_envelope(an_event(id=event_id))))).dedupe_id
    assert dedupe_id is not None
    assert dedupe_id.startswith("sha256:")


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ("20260101T000000.123456+235959.999999", "2025-12-31T00:00:00.123457+00:00"),
        ("2026-01-02T03:04:05.678901234Z", "2026-01-02T03:04:05.678901+00:00"),
        ("2026-01-02", "2026-01-02T00:00:00+00:00"),
        ("0001-01-01T00:00:00+23:59", None),
        ("9" * 100_000, None),
    ],
)
def test_time_of_an_event_fits_its_column_or_is_none(told: str, text: str | None) -> None:
    time_ = accepted(a_token(claims(an_envelope(an_event(eventTime=told))))).event_time
    assert (time_.isoformat() if time_ else None) == text
    assert time_ is None or len(time_.isoformat()) <= 40


@pytest.mark.parametrize("word", ["a\x00", "\ud83d"])
def test_words_of_an_event_that_is_an_object_are_guarded(word: str) -> None:
    event = an_event() | {"more": word, word: 1}
    assert is_storable(str(accepted(a_token(claims(an_envelope() | {"data": event}))).payload))


def test_event_that_is_an_object_and_no_json_is_malformed() -> None:
    event = an_event() | {"more": float("nan")}
    rejected = read(a_token(claims(None, data=an_envelope() | {"data": event})))
    assert isinstance(rejected, Rejected)
    assert rejected.reason.endswith("_is_no_json")
