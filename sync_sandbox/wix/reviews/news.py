"""What the stand-in Wix tells of reviews: five events, several of them for one act.

https://dev.wix.com/docs/api-reference/crm/community/reviews/reviews/review-published
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync_sandbox.faults import Faults
from sync_sandbox.wix.events import WixEvents
from sync_worker.core import exact_json

REVIEW = "wix.reviews.v1.review"


@dataclass(frozen=True, slots=True)
class ReviewNews:
    """Sends the events of reviews, with the quirks that are switched on."""

    events: WixEvents
    faults: Faults

    def created(self, review: dict[str, Any], by: Mapping[str, str]) -> None:
        part = {"createdEvent": self._holding("entity", review)}
        self.events.emit(REVIEW, "created", review["id"], part, by)

    def updated(self, review: dict[str, Any], by: Mapping[str, str]) -> None:
        part = {"updatedEvent": self._holding("currentEntity", review)}
        self.events.emit(REVIEW, "updated", review["id"], part, by)

    def deleted(self, review: dict[str, Any], by: Mapping[str, str], *, privacy: bool) -> None:
        held: dict[str, Any] = {}
        if not self.faults.strikes("delete_event_is_empty"):
            held = self._holding("deletedEntity", review)
        part = {"deletedEvent": held}
        self.events.emit(REVIEW, "deleted", review["id"], part, by, privacy=privacy)

    def moderated(
        self, review: dict[str, Any], before: str | None, by: Mapping[str, str] | None
    ) -> None:
        """``by`` is ``None`` where a rule decided."""
        body: dict[str, Any] = {"review": shown(review, self.faults)}
        if before is not None and not self.faults.strikes("no_previous_status"):
            body["previousModerationStatus"] = before
        part = {"actionEvent": self._holding("body", body)}
        self.events.emit(REVIEW, "moderation_status_changed", review["id"], part, by)

    def published(self, review: dict[str, Any], by: Mapping[str, str] | None) -> None:
        part = {"actionEvent": self._holding("body", {"review": shown(review, self.faults)})}
        self.events.emit(REVIEW, "review_published", review["id"], part, by)

    def _holding(self, name: str, what: dict[str, Any]) -> dict[str, Any]:
        """The part of an event, in the current form or in that of old."""
        content = what if name == "body" else shown(what, self.faults)
        if self.faults.strikes("entity_as_json"):
            return {f"{name}AsJson": exact_json.dumps(content)}
        return {name: content}


def shown(review: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """A review as answers and events carry it."""
    if faults.strikes("revision_as_number"):
        return review | {"revision": int(review["revision"])}
    return review
