"""The state of the stand-in Wix: contacts, members, ratings, tokens, and signed webhooks. Its HTTP:
``wix_app``.

The contract is that of the Wix documentation; where Ratings is only documented as messages, the
paths follow its sibling Reviews.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Response, jsonify

from sync_sandbox.faults import HTTP_FAULTS, WEBHOOK_FAULTS, WIX_FAULTS, Faults
from sync_sandbox.webhooks import WIX_RETRY_SECONDS, Sending, WebhookSender
from sync_worker.core import exact_json

FILTERS = {
    "id": {"$eq", "$ne", "$in"},
    "group": {"$eq", "$ne", "$in"},
    "entityId": {"$eq", "$ne", "$in"},
    "attributeId": {"$eq", "$ne", "$in"},
    "owner.contactId": {"$eq", "$ne", "$in"},
    "owner.memberId": {"$eq", "$ne", "$in"},
    "owner.anonymousVisitorId": {"$eq", "$ne", "$in"},
    "value": {"$eq", "$ne", "$in", "$lt", "$lte", "$gt", "$gte"},
    "createdDate": {"$eq", "$ne", "$in", "$lt", "$lte", "$gt", "$gte"},
}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda one, other: bool(one == other),
    "$ne": lambda one, other: bool(one != other),
    "$in": lambda one, others: one in others,
    "$lt": lambda one, other: bool(one < other),
    "$lte": lambda one, other: bool(one <= other),
    "$gt": lambda one, other: bool(one > other),
    "$gte": lambda one, other: bool(one >= other),
}
LAG_SECONDS = 1.0


class Refusal(Exception):
    """An error answer in Wix's envelope."""

    def __init__(
        self, status: int, code: str, message: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.data = (
            status,
            code,
            message or code,
            dict(data or {}),
        )

    def response(self) -> Response:
        details: dict[str, Any]
        if self.status == 400:
            violation = {
                "field": self.code,
                "description": self.message,
                "violatedRule": "OTHER",
                "data": self.data,
            }
            details = {"validationError": {"fieldViolations": [violation]}}
        else:
            error = {"code": self.code, "description": self.message, "data": self.data}
            details = {"applicationError": error}
        answer = jsonify(message=self.message, details=details)
        answer.status_code = self.status
        return answer


@dataclass
class WixState:
    """All that the stand-in knows of one app and its one instance.

    Every write is in ``journal``.
    """

    app_id: str = "sandbox-app"
    app_secret: str = "sandbox-app-secret"  # noqa: S105 - a stand-in's own
    instance_id: str = "11111111-0000-4000-8000-000000000001"
    rate_per_minute: int | None = 200
    token_seconds: int = 14_400
    seed: int = 0
    webhook_url: str | None = None
    retry_scale: float = 1.0
    sender_threads: int = 4
    ratings: dict[str, dict[str, Any]] = field(default_factory=dict)
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    journal: list[dict[str, Any]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.faults = Faults(HTTP_FAULTS | WEBHOOK_FAULTS | WIX_FAULTS, self.seed)
        self._tokens: dict[str, float] = {}
        self._call_times: list[float] = []
        self._sequences: Counter[str] = Counter()
        self._by_owner: dict[tuple[str, ...], str] = {}
        self._by_entity: dict[tuple[str, str], set[str]] = {}
        self._by_email: dict[str, list[str]] = {}
        self._written_at: dict[str, float] = {}
        self._order = itertools.count(1)
        retries = [seconds * self.retry_scale for seconds in WIX_RETRY_SECONDS]
        self.webhooks = WebhookSender(
            self.webhook_url,
            self.faults,
            accepts=lambda status: status == 200,
            retry_seconds=retries,
            seed=self.seed,
            threads=self.sender_threads,
        )

    @property
    def public_key(self) -> str:
        pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode()

    # -- tokens and limits

    def new_token(self) -> str:
        token = f"OauthNG.{secrets.token_urlsafe(24)}"
        with self.lock:
            self._tokens[token] = time.monotonic() + self.token_seconds
        return token

    def is_token_good(self, header: str) -> bool:
        token = header.removeprefix("Bearer ").strip()
        return self._tokens.get(token, 0.0) > time.monotonic()

    def revoke_tokens(self) -> None:
        with self.lock:
            self._tokens.clear()

    def is_over_limit(self) -> bool:
        """More than the allowed calls within any sliding minute."""
        if self.rate_per_minute is None:
            return False
        now = time.monotonic()
        with self.lock:
            self._call_times = [at for at in self._call_times if at > now - 60]
            if len(self._call_times) >= self.rate_per_minute:
                self.calls["limited"] += 1
                return True
            self._call_times.append(now)
        return False

    # -- ratings

    def create_rating(self, rating: Mapping[str, Any], by: Mapping[str, str]) -> dict[str, Any]:
        """Raises Refusal: a bad field, an unknown contact, or a rating that this owner has given
        already.
        """
        clean = self._checked(rating)
        with self.lock:
            owner = clean["owner"]
            contact_id = owner.get("contactId")
            if contact_id is not None and contact_id not in self.contacts:
                raise Refusal(404, "CONTACT_NOT_FOUND")
            if (twin := self._by_owner.get(_owner_key(clean))) is not None:
                raise Refusal(409, "RATING_ALREADY_EXISTS", data={"ratingId": twin})
            now = _now()
            clean |= {
                "id": str(uuid.uuid4()),
                "revision": "1",
                "createdDate": now,
                "updatedDate": now,
            }
            clean["relatedEntityIds"] = []
            self._put(clean)
            self._note("create", clean, None, clean["value"], by)
            self._tell("created", clean, by)
            return clean

    def _checked(self, rating: Mapping[str, Any]) -> dict[str, Any]:
        for name in ("namespace", "group", "entityId", "attributeName"):
            if not isinstance(rating.get(name), str) or not rating[name]:
                raise Refusal(400, f"rating.{name}", "must not be empty")
        if rating["namespace"] not in ("reviews", "comments"):
            raise Refusal(400, "rating.namespace", "unknown namespace")
        _check_value(rating.get("value"))
        owner = rating.get("owner")
        if not isinstance(owner, Mapping) or not (
            set(owner) & {"contactId", "memberId", "anonymousVisitorId"}
        ):
            raise Refusal(400, "rating.owner", "must name an owner")
        names = ("namespace", "group", "entityId", "attributeName", "value")
        return {name: rating[name] for name in names} | {"owner": dict(owner)}

    def update_rating(
        self, rating_id: str, value: Any, by: Mapping[str, str], revision: str | None = None
    ) -> dict[str, Any]:
        with self.lock:
            rating = self.ratings.get(rating_id)
            if rating is None:
                raise Refusal(404, "RATING_NOT_FOUND")
            if revision is not None and revision != rating["revision"]:
                raise Refusal(
                    409,
                    "RATING_ALREADY_CHANGED",
                    "entity has already changed since the requested revision",
                )
            _check_value(value)
            before = rating["value"]
            changed = rating | {
                "value": value,
                "revision": str(int(rating["revision"]) + 1),
                "updatedDate": _now(),
            }
            self._put(changed)
            self._note("update", changed, before, value, by)
            self._tell("updated", changed, by)
            return changed

    def delete_rating(
        self, rating_id: str, by: Mapping[str, str], *, privacy: bool = False
    ) -> None:
        with self.lock:
            rating = self.ratings.pop(rating_id, None)
            if rating is None:
                raise Refusal(404, "RATING_NOT_FOUND")
            del self._by_owner[_owner_key(rating)]
            self._by_entity[rating["group"], rating["entityId"]].discard(rating_id)
            self._note("delete", rating, rating["value"], None, by)
            self._tell("deleted", rating, by, privacy=privacy)

    def rating_id(self, contact_id: str, entity_id: str, attribute: str = "overall") -> str | None:
        """Of the rating that a contact gave, in the usual namespace and group."""
        owner = {"contactId": contact_id}
        key = {
            "namespace": "reviews",
            "group": "stores",
            "entityId": entity_id,
            "attributeName": attribute,
        }
        with self.lock:
            return self._by_owner.get(_owner_key(key | {"owner": owner}))

    def _put(self, rating: dict[str, Any]) -> None:
        self.ratings[rating["id"]] = rating
        self._by_owner[_owner_key(rating)] = rating["id"]
        self._by_entity.setdefault((rating["group"], rating["entityId"]), set()).add(rating["id"])
        self._written_at[rating["id"]] = time.monotonic()

    def query_ratings(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """Raises Refusal for a filter that the service does not document."""
        paging = query.get("cursorPaging") or {}
        limit = paging.get("limit", 50)
        if not isinstance(limit, int) or not 1 <= limit <= 100:
            raise Refusal(400, "query.cursorPaging.limit", "must be between 1 and 100")
        cursor = paging.get("cursor")
        if cursor is not None:
            where, position = exact_json.loads(cursor)
        else:
            where, position = query.get("filter") or {}, 0
        _check_filter(where)
        with self.lock:
            found = [rating for rating in self._candidates(where) if _matches(rating, where)]
            if self.faults.strikes("find_lags"):
                found = [
                    one
                    for one in found
                    if self._written_at[one["id"]] < time.monotonic() - LAG_SECONDS
                ]
        found.sort(key=lambda one: (one["createdDate"], one["id"]))
        page = found[position : position + limit]
        cursors = {}
        if position + limit < len(found):
            cursors["next"] = exact_json.dumps([where, position + limit])
        return {"ratings": page, "metadata": {"count": len(page), "cursors": cursors}}

    def _candidates(self, where: Mapping[str, Any]) -> list[dict[str, Any]]:
        group, entity = where.get("group"), where.get("entityId")
        if isinstance(group, str) and isinstance(entity, str):
            return [self.ratings[one] for one in self._by_entity.get((group, entity), ())]
        return list(self.ratings.values())

    # -- people

    def add_contact(
        self,
        email: str | None,
        name: str = "",
        *,
        by: Mapping[str, str] | None = None,
        allow_duplicates: bool = False,
    ) -> dict[str, Any]:
        with self.lock:
            known = self._by_email.get((email or "").casefold(), [])
            if known and not allow_duplicates:
                data = {"duplicateContactId": known[0], "duplicateEmail": email}
                raise Refusal(409, "DUPLICATE_CONTACT_EXISTS", "Duplicate contact exists", data)
            contact = _new_contact(str(uuid.uuid4()), email, name)
            self.contacts[contact["id"]] = contact
            if email:
                self._by_email.setdefault(email.casefold(), []).append(contact["id"])
            self._tell_contact(
                "created", contact, by or {"identityType": "WIX_USER", "wixUserId": "owner"}
            )
            return contact

    def add_member(self, contact_id: str) -> str:
        member_id = str(uuid.uuid4())
        self.members[member_id] = contact_id
        return member_id

    def merge_contacts(self, source_id: str, target_id: str) -> None:
        """Emits merged, updated (target) and deleted (source), as Wix does."""
        with self.lock:
            source, target = self.contacts.pop(source_id), self.contacts[target_id]
            self.merged[source_id] = target_id
            self._hand_over_addresses(source, target)
            by = {"identityType": "WIX_USER", "wixUserId": "owner"}
            body = {
                "targetContactId": target_id,
                "sourceContactIds": [source_id],
                "targetContact": target,
            }
            self._emit(
                "wix.contacts.v4.contact", "merged", target_id, {"actionEvent": {"body": body}}, by
            )
            self._tell_contact("updated", target, by, origin="merge")
            self._tell_contact("deleted", source, by, origin="merge")

    def _hand_over_addresses(self, source: dict[str, Any], target: dict[str, Any]) -> None:
        """The contact that lives on has every address of the one that was merged into it."""
        for item in source["info"]["emails"]["items"]:
            target["info"]["emails"]["items"].append(item | {"primary": False})
            ids = self._by_email.setdefault(item["email"].casefold(), [])
            ids[:] = [one for one in ids if one != source["id"]] + [target["id"]]
        target["revision"] += 1

    def change_email(self, contact_id: str, email: str) -> dict[str, Any]:
        """The contact has another address (or its first one) from now on."""
        with self.lock:
            contact = self._contact(contact_id)
            for ids in self._by_email.values():
                ids[:] = [one for one in ids if one != contact_id]
            item = {"id": str(uuid.uuid4()), "tag": "MAIN", "email": email, "primary": True}
            contact |= {
                "primaryInfo": {"email": email},
                "revision": contact["revision"] + 1,
                "updatedDate": _now(),
            }
            contact["info"] = contact["info"] | {"emails": {"items": [item]}}
            self.contacts[contact_id] = contact
            self._by_email.setdefault(email.casefold(), []).append(contact_id)
            self._tell_contact(
                "updated", contact, {"identityType": "WIX_USER", "wixUserId": "owner"}
            )
            return contact

    def delete_contact(self, contact_id: str, *, privacy: bool = False) -> None:
        """An owner deletes a contact; with ``privacy`` the person asked for it, and their ratings
        go too.
        """
        with self.lock:
            contact = self._contact(contact_id)
            by = {"identityType": "WIX_USER", "wixUserId": "owner"}
            theirs = [
                one["id"]
                for one in self.ratings.values()
                if one["owner"].get("contactId") == contact_id
            ]
            for rating_id in theirs if privacy else ():
                self.delete_rating(rating_id, by, privacy=True)
            del self.contacts[contact_id]
            for ids in self._by_email.values():
                ids[:] = [one for one in ids if one != contact_id]
            self._tell_contact("deleted", contact, by, privacy=privacy)

    def _contact(self, contact_id: str) -> dict[str, Any]:
        if contact_id not in self.contacts:
            raise Refusal(404, "CONTACT_NOT_FOUND")
        return dict(self.contacts[contact_id])

    def install(
        self, instance_id: str | None = None, origin_instance_id: str | None = None
    ) -> None:
        """The app is installed, on this site or another one; a duplicated site names the one it was
        copied from.
        """
        event = {"appId": self.app_id} | (
            {"originInstanceId": origin_instance_id} if origin_instance_id else {}
        )
        self._emit_app("AppInstalled", instance_id or self.instance_id, event)

    def remove(self, instance_id: str | None = None) -> None:
        """The app is removed: from now on its tokens are refused, as Wix's are."""
        if instance_id in (None, self.instance_id):
            self.revoke_tokens()
        self._emit_app("AppRemoved", instance_id or self.instance_id, {"appId": self.app_id})

    def _emit_app(self, event_type: str, instance_id: str, event: Mapping[str, Any]) -> None:
        """A plain object, not a domain event; what tells two of them apart is when the token was
        made.
        """
        envelope = {
            "eventType": event_type,
            "instanceId": instance_id,
            "data": exact_json.dumps(dict(event)),
        }
        body = self.signed(envelope)
        self.webhooks.send(
            Sending(str(uuid.uuid4()), instance_id, lambda: (body, {"Content-Type": "text/plain"}))
        )

    def find_contacts(self, where: Mapping[str, Any]) -> list[dict[str, Any]]:
        field, wanted = next(iter(where.items()), ("", ""))
        if field not in ("id", "info.emails.email", "primaryInfo.email") or len(where) != 1:
            raise Refusal(400, "UNSUPPORTED_FILTER_FIELD_UNKNOWN")
        values = [wanted] if isinstance(wanted, str) else wanted.get("$in") or [wanted.get("$eq")]
        with self.lock:
            if field == "id":
                ids = set(map(str, values))
            else:
                ids = {
                    one for email in values for one in self._by_email.get(str(email).casefold(), [])
                }
            return sorted(
                (self.contacts[one] for one in ids if one in self.contacts),
                key=lambda one: one["createdDate"],
            )

    # -- telling

    def _note(
        self,
        operation: str,
        rating: Mapping[str, Any],
        before: Any,
        after: Any,
        by: Mapping[str, str],
    ) -> None:
        self.journal.append(
            {
                "number": next(self._order),
                "side": "wix",
                "operation": operation,
                "id": rating["id"],
                "before": before,
                "after": after,
                "by": "app" if by.get("identityType") == "APP" else "visitor",
                "entity": rating["entityId"],
                "person": rating["owner"].get("contactId") or rating["owner"].get("memberId"),
                "attribute": rating["attributeName"],
            }
        )

    def _tell(
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
        self._emit("wix.ratings.v1.rating", spelled, rating["id"], parts[slug], by, privacy=privacy)

    def _tell_contact(
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
        self._emit(
            "wix.contacts.v4.contact", slug, contact["id"], body, by, origin=origin, privacy=privacy
        )

    def _emit(
        self,
        fqdn: str,
        slug: str,
        entity_id: str,
        part: Mapping[str, Any],
        by: Mapping[str, str],
        *,
        origin: str = "",
        privacy: bool = False,
    ) -> None:
        self._sequences[entity_id] += 1
        event = {
            "id": str(uuid.uuid4()),
            "entityFqdn": fqdn,
            "slug": slug,
            "entityId": entity_id,
            **part,
            "eventTime": _now(),
            "triggeredByAnonymizeRequest": privacy,
            "originatedFrom": origin,
            "entityEventSequence": str(self._sequences[entity_id]),
        }
        envelope: dict[str, Any] = {
            "eventType": f"{fqdn}_{slug}",
            "instanceId": self.instance_id,
            "data": exact_json.dumps(event),
        }
        if not self.faults.strikes("identity_missing"):
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


def _owner_key(rating: Mapping[str, Any]) -> tuple[str, ...]:
    owner = rating["owner"]
    by = owner.get("contactId") or owner.get("memberId") or owner.get("anonymousVisitorId")
    return (rating["namespace"], rating["group"], rating["entityId"], rating["attributeName"], by)


def _check_value(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise Refusal(
            400, "rating.value", "must be a whole number between 0 and 100", {"threshold": 100}
        )


def _check_filter(where: Mapping[str, Any]) -> None:
    for name, condition in where.items():
        operators = set(condition) if isinstance(condition, Mapping) else {"$eq"}
        if name not in FILTERS or not operators <= FILTERS[name]:
            raise Refusal(
                400, f"query.filter.{name}", "this field or operator cannot be filtered by"
            )


def _matches(rating: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    for name, condition in where.items():
        value: Any = rating
        for part in name.replace("attributeId", "attributeName").split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        tests = condition if isinstance(condition, Mapping) else {"$eq": condition}
        if not all(OPERATORS[operator](value, wanted) for operator, wanted in tests.items()):
            return False
    return True


def _new_contact(contact_id: str, email: str | None, name: str) -> dict[str, Any]:
    item = {"id": str(uuid.uuid4()), "tag": "MAIN", "email": email, "primary": True}
    return {
        "id": contact_id,
        "revision": 1,
        "createdDate": _now(),
        "updatedDate": _now(),
        "primaryInfo": {"email": email} if email else {},
        "info": {"name": {"first": name}, "emails": {"items": [item] if email else []}},
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
