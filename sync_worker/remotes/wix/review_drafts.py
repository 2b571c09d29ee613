"""What goes to Wix of a review: the body of a create, the content of an update. Pure.

Whether an update of Wix merges the content or replaces it is not documented. So stars, title and
body go out together, as last returned at the revision that is named, with the changes in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sync_worker.core.errors import Permanent
from sync_worker.core.values import PRODUCTS, Draft, Record
from sync_worker.core.values.texts import BODY, TITLE
from sync_worker.core.words import shown
from sync_worker.remotes.wix.answers import inside, objects_in
from sync_worker.remotes.wix.review_record import OVERALL, words_of

# https://dev.wix.com/docs/api-reference/crm/community/reviews/reviews/create-review
MAX_AUTHOR_NAME = 100
MIN_STARS, MAX_STARS = 1, 5
TEXTS = (TITLE, BODY)
PICTURES = "pictures"


def new_review(draft: Draft, now: datetime) -> dict[str, Any]:
    """A review as Create Review takes it; a time of writing that is still to come is now."""
    author = {"contactId": draft.person.contact_id}
    name = _name_shown(draft.person.name)
    if name:
        author["authorName"] = name
    review: dict[str, Any] = {
        "namespace": PRODUCTS,
        "entityId": draft.entity.entity_id,
        "author": author,
        "content": {"rating": _stars(draft), **_texts_said(draft)},
    }
    if draft.media:
        # Left out where there are none: an empty list may take away what is there.
        review["content"]["media"] = [{"image": {"url": address}} for address in draft.media]
    if draft.written_at is not None:
        review["reviewDate"] = _as_text(min(draft.written_at, now))
    return review


def content_after(last: Mapping[str, Any], draft: Draft) -> dict[str, Any]:
    """The content of an update: of the review as last returned, and of what the draft changes."""
    shown_last = inside(last, "content")
    content = {
        name: shown_last[name]
        for name in ("rating", *TEXTS)
        if isinstance(shown_last, Mapping) and name in shown_last
    }
    if _changes(draft, OVERALL) or "rating" not in content:
        content["rating"] = _stars(draft)
    for name in TEXTS:
        if name in draft.words and _changes(draft, name):
            # Empty: whether Wix takes an empty text for "none" is not documented.
            content[name] = draft.words[name] or None
    return content


def lost_in(record: Record, last: Mapping[str, Any], draft: Draft) -> frozenset[str]:
    """What an update that did not touch it has taken from a review: words, and pictures."""
    before = words_of(last)
    lost = {
        name
        for name in TEXTS
        if not (name in draft.words and _changes(draft, name))
        and before[name].strip()
        and not record.words.get(name, "").strip()
    }
    if len(pictures_of(record.raw)) < len(pictures_of(last)):
        lost.add(PICTURES)
    return frozenset(lost)


def pictures_of(review: Mapping[str, Any]) -> Sequence[Any]:
    """Its pictures and videos, as Wix shows them."""
    return objects_in(inside(review, "content"), "media")


def _changes(draft: Draft, name: str) -> bool:
    return draft.changed is None or name in draft.changed


def _stars(draft: Draft) -> int:
    value = draft.values[OVERALL]
    if value != value.to_integral_value() or not MIN_STARS <= value <= MAX_STARS:
        raise Permanent(
            f"Wix takes whole stars from {MIN_STARS} to {MAX_STARS}, and no {value}; correct the"
            " scale of `overall` (map fields import)",
            reason="off_scale",
        )
    return int(value)


def _texts_said(draft: Draft) -> dict[str, str]:
    return {name: draft.words[name] for name in TEXTS if draft.words.get(name)}


def _name_shown(name: str | None) -> str:
    """For everybody to read: never an address."""
    plain = " ".join(shown(name or "").split())
    return "" if "@" in plain else plain[:MAX_AUTHOR_NAME].rstrip()


def _as_text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
