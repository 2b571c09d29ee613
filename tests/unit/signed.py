"""Signed webhooks for tests: as Wix and as the own-service contract sign them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SECRET, OLD_SECRET = "own-service-secret", "own-service-secret-of-last-year"
APP_ID = "app-1"
OWN_SERVICE = {
    "OWN_SERVICE_URL": "https://reviews.example.com",
    "OWN_SERVICE_TOKEN": "token",
    "OWN_SERVICE_WEBHOOK_SECRET": SECRET,
    "OWN_SERVICE_WEBHOOK_SECRET_OLD": OLD_SECRET,
}


def pem(key: rsa.RSAPrivateKey = KEY) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def a_rating(**changes: Any) -> dict[str, Any]:
    rating = {
        "id": "rating-1",
        "revision": "3",
        "namespace": "reviews",
        "group": "stores",
        "entityId": "product-1",
        "attributeName": "overall",
        "value": 80,
        "owner": {"contactId": "contact-1"},
    }
    return rating | changes


def a_review(**changes: Any) -> dict[str, Any]:
    """A review of Wix. Changes of its content and of the review itself, by name."""
    content: dict[str, Any] = {"rating": 4, "title": "Good", "body": "Sturdy mug.", "media": []}
    content |= {name: changes.pop(name) for name in tuple(changes) if name in content}
    review: dict[str, Any] = {
        "id": "review-1",
        "revision": "1",
        "namespace": "stores",
        "entityId": "product-1",
        "content": content,
        "author": {"contactId": "contact-1", "authorName": "Ana M."},
        "createdDate": "2026-01-02T03:04:05.678Z",
        "updatedDate": "2026-01-02T03:04:05.678Z",
        "reviewDate": "2025-11-20T09:15:00.000Z",
        "foundHelpful": 0,
        "moderation": {"moderationStatus": "APPROVED", "manuallyChanged": False},
        "verified": False,
        "origin": {"type": "APP", "appId": APP_ID},
        "publishCount": 1,
    }
    return review | changes


def an_event(slug: str = "updated", **changes: Any) -> dict[str, Any]:
    """A domain event of a rating."""
    bodies: dict[str, dict[str, Any]] = {
        "created": {"createdEvent": {"entity": a_rating()}},
        "updated": {"updatedEvent": {"currentEntity": a_rating()}},
        "deleted": {"deletedEvent": {}},
    }
    event: dict[str, Any] = {
        "id": "event-1",
        "entityFqdn": "wix.ratings.v1.rating",
        "slug": slug,
        "entityId": "rating-1",
        "eventTime": "2026-01-02T03:04:05.678901234Z",
        "triggeredByAnonymizeRequest": False,
        "entityEventSequence": "8",
    }
    return event | bodies.get(slug, {}) | changes


def a_review_event(slug: str = "updated", **changes: Any) -> dict[str, Any]:
    """A domain event of a review."""
    review = a_review(revision="3")
    action = {"actionEvent": {"body": {"review": review}}}
    bodies: dict[str, dict[str, Any]] = {
        "created": {"createdEvent": {"entity": review}},
        "updated": {"updatedEvent": {"currentEntity": review}},
        "deleted": {"deletedEvent": {"deletedEntity": review}},
        "moderation_status_changed": action,
        "review_published": action,
    }
    names = {"entityFqdn": "wix.reviews.v1.review", "slug": slug, "entityId": "review-1"}
    return an_event(slug) | names | bodies.get(slug, {}) | changes


def an_envelope(event: Any = None, **changes: Any) -> dict[str, Any]:
    event = an_event() if event is None else event
    envelope = {
        "eventType": "wix.ratings.v1.rating_updated",
        "instanceId": "instance-1",
        "data": event if isinstance(event, str) else json.dumps(event),
        "identity": json.dumps({"identityType": "MEMBER", "memberId": "m"}),
    }
    return envelope | changes


def claims(envelope: Any = None, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    envelope = an_envelope() if envelope is None else envelope
    data = envelope if isinstance(envelope, str) else json.dumps(envelope)
    return {"data": data, "iat": now, "exp": now + 86_400} | changes


def a_token(payload: Any = None, *, key: Any = KEY, algorithm: str = "RS256") -> bytes:
    return jwt.encode(payload or claims(), key, algorithm=algorithm).encode()


def a_wix_webhook(event: dict[str, Any], **envelope: Any) -> bytes:
    return a_token(claims(an_envelope(event, **envelope)))


def an_external_body(event_type: str = "rating.updated", **changes: Any) -> bytes:
    data = {
        "id": "r1",
        "version": 4,
        "subject": {"id": "sku-1"},
        "author": {"email": "Ada@Example.com", "display_name": "Ada"},
        "score": 4.5,
        "visibility": "public",
    }
    return json.dumps({"event_id": "e-1", "type": event_type, "data": data | changes}).encode()


def acme_headers(body: bytes, *, secret: str = SECRET, at: int | None = None) -> dict[str, str]:
    now = str(int(time.time()) if at is None else at)
    signature = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Acme-Signature": f"t={now},v1={signature}"}
