"""What the stand-in Wix tells by webhook: ratings, contacts and the app, signed as Wix signs."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sync_sandbox.faults import Faults
from sync_sandbox.webhooks import Sending, WebhookSender
from sync_worker.core import exact_json
from sync_worker.core.words import as_received

RATING, CONTACT = "wix.ratings.v1.rating", "wix.contacts.v4.contact"
OWNER = {"identityType": "WIX_USER", "wixUserId": "owner"}
API_KEY = {"identityType": "WIX_USER", "wixUserId": "api-key"}


@cache
def key_of_wix() -> rsa.RSAPrivateKey:
    """With which Wix signs what it tells one app, whatever the instance.

    One for all stand-ins of a process: making it is half of a stand-in's start.
    """
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class WixEvents:
    """Sends the events of one app instance."""

    instance_id: str
    faults: Faults
    webhooks: WebhookSender
    key: rsa.RSAPrivateKey
    _sequences: Counter[str] = field(default_factory=Counter)

    @property
    def public_key(self) -> str:
        pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode()

    def tell_rating(
        self, slug: str, rating: dict[str, Any], by: Mapping[str, str], *, privacy: bool = False
    ) -> None:
        entity = dict(rating)
        if self.faults.strikes("rating_owner"):
            entity["ratingOwner"] = entity.pop("owner")
        is_old = self.faults.strikes("entity_as_json")
        shown = exact_json.dumps(entity) if is_old else entity
        parts: dict[str, dict[str, Any]] = {
            "created": {"createdEvent": {"entityAsJson" if is_old else "entity": shown}},
            "updated": {
                "updatedEvent": {"currentEntityAsJson" if is_old else "currentEntity": shown}
            },
            "deleted": {"deletedEvent": {}},
        }
        spelled = "delete" if slug == "deleted" and self.faults.strikes("slug_delete") else slug
        self.emit(RATING, spelled, rating["id"], parts[slug], by, privacy=privacy)

    def tell_contact(
        self,
        slug: str,
        contact: dict[str, Any],
        by: Mapping[str, str],
        *,
        origin: str = "",
        privacy: bool = False,
    ) -> None:
        parts = {
            "created": {"createdEvent": {"entity": contact}},
            "updated": {"updatedEvent": {"currentEntity": contact}},
        }
        body = parts.get(slug, {"deletedEvent": {}})
        self.emit(CONTACT, slug, contact["id"], body, by, origin=origin, privacy=privacy)

    def tell_merge(self, source_id: str, target: dict[str, Any]) -> None:
        body = {
            "targetContactId": target["id"],
            "sourceContactIds": [source_id],
            "targetContact": target,
        }
        self.emit(CONTACT, "merged", target["id"], {"actionEvent": {"body": body}}, OWNER)

    def tell_app(self, event_type: str, instance_id: str, event: Mapping[str, Any]) -> None:
        """A plain object, no domain event: only the time of its token tells two apart."""
        envelope = {
            "eventType": event_type,
            "instanceId": instance_id,
            "data": exact_json.dumps(dict(event)),
        }
        body = self.signed(envelope)
        self.webhooks.send(
            Sending(str(uuid.uuid4()), instance_id, lambda: (body, {"Content-Type": "text/plain"}))
        )

    def emit(
        self,
        fqdn: str,
        slug: str,
        entity_id: str,
        part: Mapping[str, Any],
        by: Mapping[str, str] | None,
        *,
        origin: str = "",
        privacy: bool = False,
    ) -> None:
        """A domain event; ``by`` is ``None`` where nobody did it, as a rule of the site."""
        self._sequences[entity_id] += 1
        event = {
            "id": str(uuid.uuid4()),
            "entityFqdn": fqdn,
            "slug": slug,
            "entityId": entity_id,
            **part,
            "eventTime": now(),
            "triggeredByAnonymizeRequest": privacy,
            "originatedFrom": origin,
            "entityEventSequence": str(self._sequences[entity_id]),
        }
        envelope: dict[str, Any] = {
            "eventType": f"{fqdn}_{slug}",
            "instanceId": self.instance_id,
            "data": as_received(exact_json.dumps(event)),
        }
        if by is not None and not self.faults.strikes("identity_missing"):
            envelope["identity"] = exact_json.dumps(dict(by))
        self.webhooks.send(
            Sending(
                event["id"],
                entity_id,
                lambda: (self.signed(envelope), {"Content-Type": "text/plain"}),
            )
        )

    def signed(self, envelope: Mapping[str, Any]) -> bytes:
        """A webhook's body: a bare RS256 JWT whose data is a text of a text."""
        now = int(time.time())
        claims = {"data": exact_json.dumps(dict(envelope)), "iat": now, "exp": now + 300_000}
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "sandbox"}).encode()


def is_client(by: Mapping[str, str]) -> bool:
    """Whether a program did it: an app by its token, or whoever has the API key."""
    return by.get("identityType") == "APP" or by == API_KEY


def now() -> str:
    """The time as Wix writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
