"""A Wix webhook as a delivery: bytes and keys in, a value out.

It does no I/O, and there are no bytes that make it raise.

The body is a bare RS256 JWT whose ``data`` is a JSON text with another JSON text inside.
Sources: https://dev.wix.com/docs/rest/articles/getting-started/webhook-structure and the behaviour
of Wix's own SDK.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sync_worker.core import exact_json
from sync_worker.core.numbers import whole_number
from sync_worker.core.values import KIND_OF_EVENTS, Change, NewDelivery, Side, unusable_id
from sync_worker.core.words import MAX_WIX_ID, is_usable_id
from sync_worker.remotes.wix.answers import moment_of

LEEWAY_SECONDS = 60
MAX_DEDUPE_LENGTH = 200
RATING, REVIEW = KIND_OF_EVENTS
CONTACT = "wix.contacts.v4.contact"
INSTALLATION = "wix.app.installations.v1.app_installation"
CHANGES = {
    (RATING, "created"): Change.UPSERT,
    (RATING, "updated"): Change.UPSERT,
    (RATING, "deleted"): Change.DELETE,
    (RATING, "delete"): Change.DELETE,  # one of Wix's samples spells the slug so
    # https://dev.wix.com/docs/api-reference/crm/community/reviews/reviews/review-published
    (REVIEW, "created"): Change.UPSERT,
    (REVIEW, "updated"): Change.UPSERT,
    (REVIEW, "moderation_status_changed"): Change.UPSERT,
    (REVIEW, "review_published"): Change.UPSERT,
    (REVIEW, "deleted"): Change.DELETE,
    (CONTACT, "created"): Change.CONTACT_CHANGED,
    (CONTACT, "updated"): Change.CONTACT_CHANGED,
    (CONTACT, "deleted"): Change.CONTACT_DELETED,
    (CONTACT, "merged"): Change.CONTACT_MERGED,
    (CONTACT, "merge"): Change.CONTACT_MERGED,  # one guide spells the slug so
    (INSTALLATION, "created"): Change.APP_INSTALLED,
    # Unless its status says uninstalled: see _change.
    (INSTALLATION, "updated"): Change.APP_INSTALLED,
    (INSTALLATION, "deleted"): Change.APP_REMOVED,
}
KNOWN = (RATING, REVIEW, CONTACT, INSTALLATION)
# Plain objects instead of domain events: no id, no slug, no time of their own.
# App Instance Installed, App Instance Removed:
# https://dev.wix.com/docs/rest/app-management/app-instance
APP_EVENTS = {"AppInstalled": Change.APP_INSTALLED, "AppRemoved": Change.APP_REMOVED}
# Where an event carries its entity.
ENTITIES = {
    "createdEvent": ("entity", "entityAsJson"),
    "updatedEvent": ("currentEntity", "currentEntityAsJson"),
}
# Where it may carry one: in a deleted event, and a review in the body of an action.
MAY_CARRY = {
    "deletedEvent": ("deletedEntity", "deletedEntityAsJson"),
    "actionEvent": ("body", "bodyAsJson"),
}
# Wix's own client accepts a future `iat` and any `aud` and `iss`; PyJWT's defaults would lose such
# events.
JWT_OPTIONS = {
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True, slots=True)
class Ignored:
    """Verified, but nothing for us. ``name``: of an event that is not known, or passed over."""

    reason: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not verified or not in the form of a delivery. ``reason`` is for our logs only."""

    reason: str


class _Malformed(Exception):
    """The token is good, its content is not a Wix event."""


def read_delivery(
    body: bytes, keys: Sequence[RSAPublicKey], app_id: str
) -> NewDelivery | Ignored | Rejected:
    """What a request body says, if one of the keys signed it."""
    claims = _verified(body.strip(), keys)
    if isinstance(claims, Rejected):
        return claims
    try:
        return _delivery(claims, app_id)
    except _Malformed as error:
        return Rejected(str(error))


def _verified(token: bytes, keys: Sequence[RSAPublicKey]) -> Mapping[str, Any] | Rejected:
    reason = "no_key"
    for key in keys:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                leeway=LEEWAY_SECONDS,
                options=JWT_OPTIONS,  # type: ignore[arg-type]  # options is a TypedDict of every name
            )
        except jwt.ExpiredSignatureError:
            return Rejected("expired")
        except jwt.InvalidTokenError as error:
            reason = type(error).__name__
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            # Claims of absurd types.
            reason = type(error).__name__
    return Rejected(reason)


def _delivery(claims: Mapping[str, Any], app_id: str) -> NewDelivery | Ignored:
    envelope = _object(claims.get("data"), "data")
    instance_id = envelope.get("instanceId")
    if not isinstance(instance_id, str) or not instance_id:
        return Ignored("no_instance")  # the dashboard's test events
    inner = envelope.get("data")
    if not isinstance(inner, str | Mapping):
        return Ignored("no_event")
    event = _object(inner, "event")
    app_change = _app_change(envelope.get("eventType"))
    if app_change is not None:
        return _app_delivery(app_change, _id(instance_id), event, claims.get("iat"), app_id)
    fqdn, slug = _names_of(event, envelope.get("eventType"))
    change = _change(fqdn, slug, event)
    if change is None:
        return Ignored("unknown_event_type")
    # Optional, and only counted.
    identity = _object_or_nothing(envelope.get("identity"))
    is_ours = identity.get("identityType") == "APP" and identity.get("appId") == app_id
    # An event of the app itself is about the instance, and names no entity.
    entity_id = instance_id if change.startswith("app_") else event.get("entityId")
    return NewDelivery(
        side=Side.WIX,
        source=_id(instance_id),
        dedupe_id=_dedupe_id(event.get("id"), inner),
        change=change,
        remote_id=_entity_id(entity_id),
        # Named whatever its form: of which API of Wix it is.
        payload={**event, "entityFqdn": fqdn},
        revision=_number(_entity(event).get("revision")),
        sequence=_number(event.get("entityEventSequence")),
        is_restore=slug == "created",
        is_ours=is_ours,
        privacy=event.get("triggeredByAnonymizeRequest") is True,
        event_time=moment_of(event.get("eventTime")),
    )


def _app_change(event_type: Any) -> Change | None:
    return APP_EVENTS.get(event_type) if isinstance(event_type, str) else None


def _app_delivery(
    change: Change, instance_id: str, event: Mapping[str, Any], issued_at: Any, app_id: str
) -> NewDelivery | Ignored:
    """Installed or removed; the token's time tells a second installation from a repeated one."""
    if event.get("appId", app_id) != app_id:
        return Ignored("another_app")
    return NewDelivery(
        side=Side.WIX,
        source=instance_id,
        dedupe_id=_digest([change, instance_id, dict(event), str(issued_at)]),
        change=change,
        remote_id=instance_id,
        payload=event,
        event_time=_epoch(issued_at),
    )


def _object(value: Any, what: str) -> Mapping[str, Any]:
    """A JSON text, or what older senders put there: the object itself.

    Its words and depth are guarded as those of a text.
    """
    try:
        value = exact_json.loads(value if isinstance(value, str) else exact_json.dumps(value))
    except (ValueError, RecursionError):
        raise _Malformed(f"{what}_is_no_json") from None
    if not isinstance(value, Mapping):
        raise _Malformed(f"{what}_is_no_object")
    return value


def _change(fqdn: str, slug: str, event: Mapping[str, Any]) -> Change | None:
    if fqdn == INSTALLATION and _entity(event).get("status") == "UNINSTALLED":
        return Change.APP_REMOVED
    return CHANGES.get((fqdn, slug))


def _names_of(event: Mapping[str, Any], event_type: Any) -> tuple[str, str]:
    """What kind of entity an event is about, and what happened to it."""
    fqdn, slug = event.get("entityFqdn"), event.get("slug")
    if isinstance(fqdn, str) and isinstance(slug, str):
        return fqdn, slug
    # The type is both in one, and either of them may have underscores of its own.
    for known in KNOWN:
        if isinstance(event_type, str) and event_type.startswith(f"{known}_"):
            return known, event_type.removeprefix(f"{known}_")
    return "", ""


def _entity(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rating, review or contact in an event, as text or as an object; a deleted one need not be
    there.
    """
    for part, names in ENTITIES.items():
        body = event.get(part)
        if not isinstance(body, Mapping):
            continue
        for name in names:
            if isinstance(body.get(name), str | Mapping):
                return _object(body[name], name)
    return _entity_it_may_carry(event)


def _entity_it_may_carry(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is not understood there is not missed: the event is about its id."""
    for part, names in MAY_CARRY.items():
        body = event.get(part)
        if not isinstance(body, Mapping):
            continue
        for name in names:
            carried = _object_or_nothing(body.get(name))
            if part == "actionEvent":
                carried = _object_or_nothing(carried.get("review"))
            if carried:
                return carried
    return {}


def _object_or_nothing(value: Any) -> Mapping[str, Any]:
    """As ``_object``, of something optional."""
    if not isinstance(value, str | Mapping):
        return {}
    try:
        return _object(value, "")
    except _Malformed:
        return {}


def _id(value: Any) -> str:
    if not isinstance(value, str) or not is_usable_id(value, MAX_WIX_ID):
        raise _Malformed("an_id_is_malformed")
    return value


def _entity_id(value: Any) -> str:
    """What is signed is stored, whatever it is about: an id that names no record is held."""
    if not isinstance(value, str) or not value:
        raise _Malformed("an_id_is_malformed")
    return value if is_usable_id(value, MAX_WIX_ID) else unusable_id(value)


def _dedupe_id(event_id: Any, inner: Any) -> str:
    """The event's own id, else the digest of what it says."""
    if isinstance(event_id, str) and is_usable_id(event_id, MAX_DEDUPE_LENGTH):
        return event_id
    return _digest(inner)


def _digest(inner: Any) -> str:
    text = inner if isinstance(inner, str) else exact_json.dumps(inner)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _number(value: Any) -> int | None:
    """64-bit numbers come as texts; what counts something is never below 0."""
    number = whole_number(value)
    return number if number is not None and number >= 0 else None


def _epoch(value: Any) -> datetime | None:
    """The ``iat`` of a token."""
    is_plausible = (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**33
    )
    return datetime.fromtimestamp(value, UTC) if is_plausible else None
