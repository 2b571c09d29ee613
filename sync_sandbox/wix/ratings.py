"""The ratings of the stand-in Wix: create, update, delete, query."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_sandbox.faults import Faults
from sync_sandbox.wix.events import WixEvents, is_client, now
from sync_sandbox.wix.filters import check_filter, matches
from sync_sandbox.wix.refusal import Refusal
from sync_worker.core import exact_json

LAG_SECONDS = 1.0


@dataclass
class WixRatings:
    """Ratings by id. Every write is in ``journal``; ``contacts``: who may rate."""

    lock: threading.RLock
    faults: Faults
    events: WixEvents
    contacts: Container[str]
    by_id: dict[str, dict[str, Any]]
    journal: list[dict[str, Any]]
    _by_owner: dict[tuple[str, ...], str] = field(default_factory=dict)
    _by_entity: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    _written_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._order, self._cursors = itertools.count(1), itertools.count(1)

    def create(self, rating: Mapping[str, Any], by: Mapping[str, str]) -> dict[str, Any]:
        """Raises Refusal: a bad field, an unknown contact, or a second rating of one owner."""
        clean = self._checked(rating)
        with self.lock:
            owner = clean["owner"]
            contact_id = owner.get("contactId")
            if contact_id is not None and contact_id not in self.contacts:
                raise Refusal(404, "CONTACT_NOT_FOUND")
            if (twin := self._by_owner.get(_owner_key(clean))) is not None:
                raise Refusal(409, "RATING_ALREADY_EXISTS", data={"ratingId": twin})
            created = now()
            clean |= {
                "id": str(uuid.uuid4()),
                "revision": "1",
                "createdDate": created,
                "updatedDate": created,
            }
            clean["relatedEntityIds"] = []
            self._put(clean)
            self._note("create", clean, None, clean["value"], by)
            self.events.tell_rating("created", clean, by)
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

    def update(
        self, rating_id: str, value: Any, by: Mapping[str, str], revision: str | None = None
    ) -> dict[str, Any]:
        with self.lock:
            rating = self.by_id.get(rating_id)
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
                "updatedDate": now(),
            }
            self._put(changed)
            self._note("update", changed, before, value, by)
            self.events.tell_rating("updated", changed, by)
            return changed

    def delete(self, rating_id: str, by: Mapping[str, str], *, privacy: bool = False) -> None:
        with self.lock:
            rating = self.by_id.pop(rating_id, None)
            if rating is None:
                raise Refusal(404, "RATING_NOT_FOUND")
            del self._by_owner[_owner_key(rating)]
            self._by_entity[rating["group"], rating["entityId"]].discard(rating_id)
            self._note("delete", rating, rating["value"], None, by)
            self.events.tell_rating("deleted", rating, by, privacy=privacy)

    def id_of(self, contact_id: str, entity_id: str, attribute: str = "overall") -> str | None:
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
        self.by_id[rating["id"]] = rating
        self._by_owner[_owner_key(rating)] = rating["id"]
        self._by_entity.setdefault((rating["group"], rating["entityId"]), set()).add(rating["id"])
        self._written_at[rating["id"]] = time.monotonic()

    def query(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """Raises Refusal for a filter that the service does not document."""
        paging = query.get("cursorPaging") or {}
        limit = paging.get("limit", 50)
        if not isinstance(limit, int) or not 1 <= limit <= 100:
            raise Refusal(400, "query.cursorPaging.limit", "must be between 1 and 100")
        cursor = paging.get("cursor")
        if cursor is not None:
            where, position, *_ = exact_json.loads(cursor)
            # A cursor of its own again, but for the same page.
            if self.faults.strikes("paging_ignored"):
                position = 0
        else:
            where, position = query.get("filter") or {}, 0
        check_filter(where)
        with self.lock:
            found = [rating for rating in self._candidates(where) if matches(rating, where)]
            if self.faults.strikes("find_lags"):
                shown = time.monotonic() - LAG_SECONDS
                found = [rating for rating in found if self._written_at[rating["id"]] < shown]
        found.sort(key=lambda rating: (rating["createdDate"], rating["id"]))
        page = found[position : position + limit]
        cursors = {}
        if position + limit < len(found):
            cursors["next"] = exact_json.dumps([where, position + limit, next(self._cursors)])
        return {"ratings": page, "metadata": {"count": len(page), "cursors": cursors}}

    def _candidates(self, where: Mapping[str, Any]) -> list[dict[str, Any]]:
        group, entity = where.get("group"), where.get("entityId")
        if isinstance(group, str) and isinstance(entity, str):
            return [self.by_id[found] for found in self._by_entity.get((group, entity), ())]
        return list(self.by_id.values())

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
                "by": "app" if is_client(by) else "visitor",
                "entity": rating["entityId"],
                "person": rating["owner"].get("contactId") or rating["owner"].get("memberId"),
                "attribute": rating["attributeName"],
            }
        )


def _owner_key(rating: Mapping[str, Any]) -> tuple[str, ...]:
    owner = rating["owner"]
    by = owner.get("contactId") or owner.get("memberId") or owner.get("anonymousVisitorId")
    return (rating["namespace"], rating["group"], rating["entityId"], rating["attributeName"], by)


def _check_value(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise Refusal(
            400, "rating.value", "must be a whole number between 0 and 100", {"threshold": 100}
        )
