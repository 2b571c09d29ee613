"""Wix ratings, one record for each attribute that a person has rated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Draft, EntityRef, Person, Record
from sync_worker.remotes.wix.answers import gone_if_said
from sync_worker.remotes.wix.api import OLDEST_FIRST, WixApi
from sync_worker.remotes.wix.events import rating_of, record_of_event
from sync_worker.remotes.wix.records import Kind, WixRecords

LISTING = "Query Ratings of Wix, by cursor"
RATING = Kind(
    "rating",
    "ratings",
    LISTING,
    read=rating_of,
    # A delete is answered with an empty object.
    has_deleted=lambda body, remote_id: body == {},
    gone=gone_if_said("RATING", "ENTITY", "ITEM"),
)


class WixRatings(WixRecords):
    """Implements ports.Remote: one record for each attribute that a person has rated."""

    capabilities = Capabilities(delete_is_final=True)

    def __init__(self, api: WixApi) -> None:
        super().__init__(api, RATING)

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        return record_of_event(payload)

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        """All attributes that this contact has rated of this entity.

        Only documented filters are sent; ``namespace`` is not among them and is compared here.
        """
        query = {
            "filter": {
                "group": entity.group,
                "entityId": entity.entity_id,
                "owner.contactId": {"$in": [person.contact_id]},
            },
            "sort": OLDEST_FIRST,
        }
        return [record for record in self.query(query) if record.entity == entity]

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        ((attribute, value),) = draft.values.items()
        return self._create(
            {
                "namespace": draft.entity.namespace,
                "group": draft.entity.group,
                "entityId": draft.entity.entity_id,
                "attributeName": attribute,
                "value": int(value),
                "owner": {"contactId": draft.person.contact_id},
            }
        )

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        (value,) = draft.values.values()
        return self._update(remote_id, {"value": int(value)}, draft, revision)
