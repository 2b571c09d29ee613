"""Finds out, on a named test product, what Wix leaves open about its Reviews API.

It writes: a contact, reviews by it, moderation, a reply. All of it is deleted at the end, whatever
happened. Each step tells what it learned in words; what could not be asked is told, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sync_worker.doctor.reviews.probe_calls import BODY, TITLE, ProbeReviews, review_in
from sync_worker.remotes.http.calls import Answer
from sync_worker.remotes.wix.answers import error_code, inside, objects_in
from sync_worker.remotes.wix.learned import KEEPS_CONTENT, REPLACES, SEES_REJECTED, SHOWN

LAG_SECONDS = 10  # how long a query may take to show a new review
WATCH_SECONDS = 30  # how long moderation is watched
# A picture of Wix itself, and one of nobody's: example.com never has any.
OWN_PICTURE = "https://static.wixstatic.com/media/c837a6_2119733e838e4a2f8813ebde736f99d5~mv2.jpg"
FOREIGN_PICTURE = "https://example.com/picture.png"
LONG_AGO = "2020-02-03T04:05:06.000Z"
APPROVED, REJECTED = "APPROVED", "REJECTED"
NOT_ASKED = {
    "U12": "what a deleted event carries shows in the inbox afterwards, where webhooks come",
    "U13": "reviews of a deleted, merged or forgotten contact: not tried on people",
    "U17": "how a review without a name is shown: look at the product's page",
    "U20": "whether a deleted review comes back: Wix offers no call for it",
}

Learned = tuple[str, str]


class CannotProbe(Exception):
    """Nothing can be found out: the first review was refused."""


@dataclass
class ReviewProbe:
    """One probe. ``sleep``: waits; ``tell``: hears each thing that was learned, at once."""

    its: ProbeReviews
    sleep: Callable[[float], None]
    tell: Callable[[str, str], None]
    organic_id: str | None = None

    def run(self) -> dict[str, str]:
        """All that was learned, by the number of the open point. Raises SyncError, CannotProbe."""
        learned: dict[str, str] = {}
        self.its.new_contact()
        try:
            for name, words in self._learn():
                learned[name] = words
                self.tell(name, words)
        finally:
            left = self.its.clean_up()
            if left:
                self.tell("left", f"could not be deleted, do it by hand: {', '.join(left)}")
        return learned | NOT_ASKED

    def _learn(self) -> Iterator[Learned]:
        review = self._first_review()
        yield "U6", self._moderation(review)
        yield "U9", _origin(review)
        yield "U5", self._lag(review["id"])
        yield from self._revisions(review["id"])
        yield from self._updates(review["id"])
        yield "U7", self._clearing(review["id"])
        yield "U14", self._late_changes(review["id"])
        yield from self._decisions(review["id"])
        yield "U3", self._twins(review["id"])
        yield "U8", self._pictures()
        yield "U11", self._unknown_ids()
        yield from self._many()
        yield "U1", self._organic()

    # -- steps

    def _first_review(self) -> dict[str, Any]:
        pictures = [{"image": {"url": OWN_PICTURE}}]
        for media in (pictures, None):
            answer = self.its.create(media=media, reviewDate=LONG_AGO)
            if review := review_in(answer):
                return review
        raise CannotProbe(f"Create Review is refused ({_said(answer)}); look at its advice below")

    def _moderation(self, review: Mapping[str, Any]) -> str:
        """What a create answers, and how long the site's rules take."""
        first, seconds = _status(review), 0
        now = first
        while now not in (APPROVED, REJECTED) and seconds < WATCH_SECONDS:
            self.sleep(1.0)
            seconds += 1
            now = _status(self.its.get(review["id"]))
        if now == first:
            watched = f" ({seconds} s watched)" if seconds else ""
            return f"a create is answered {first}, and stays so{watched}"
        return f"a create is answered {first}, and is {now} after {seconds} s"

    def _lag(self, review_id: str) -> str:
        for seconds in range(LAG_SECONDS + 1):
            if review_id in self.its.ids_listed():
                when = f"after {seconds} s" if seconds else "at once"
                return f"a query shows a new review {when}"
            self.sleep(1.0)
        return f"a query did not show a new review within {LAG_SECONDS} s"

    def _revisions(self, review_id: str) -> Iterator[Learned]:
        content = self.its.get(review_id).get("content") or {}
        same = {"rating": content.get("rating"), "title": TITLE, "body": BODY}
        stale = self.its.update(review_id, "0", same)
        none = self.its.update(review_id, None, same)
        says = f"a stale revision is answered {_said(stale)}, a missing one {_said(none)}"
        if none.is_success or stale.is_success:
            says += "; LOUD: an update that names no current revision was accepted"
        yield "U4", says

    def _updates(self, review_id: str) -> Iterator[Learned]:
        """Stars alone: are title, body and pictures still there?"""
        before = self.its.get(review_id)
        answer = self.its.update(review_id, before.get("revision"), {"rating": 3})
        if not answer.is_success:
            yield KEEPS_CONTENT, f"an update of the stars alone is refused ({_said(answer)})"
            return
        had, has = before.get("content") or {}, self.its.get(review_id).get("content") or {}
        lost = [name for name in ("title", "body", "media") if had.get(name) and not has.get(name)]
        if lost:
            yield KEEPS_CONTENT, f"{REPLACES}: without being sent, {_and(lost)} went"
            return
        kept = [name for name in ("title", "body", "media") if has.get(name)]
        yield KEEPS_CONTENT, f"an update merges: {_and(kept)} stayed without being sent"

    def _clearing(self, review_id: str) -> str:
        said = []
        for shown, value in (("null", None), ('""', "")):
            now = self.its.get(review_id)
            content = {"rating": 3, "title": TITLE, "body": BODY}
            self.its.update(review_id, now.get("revision"), content)
            now = self.its.get(review_id)
            answer = self.its.update(review_id, now.get("revision"), content | {"title": value})
            if not answer.is_success:
                said.append(f"{shown} is refused ({_said(answer)})")
                continue
            title = inside(self.its.get(review_id), "content", "title")
            said.append(f"{shown} clears a title" if not title else f"{shown} leaves it")
        return ", ".join(said)

    def _late_changes(self, review_id: str) -> str:
        said = []
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat().replace("+00:00", "Z")
        changes: dict[str, Mapping[str, Any]] = {
            "the date": {"reviewDate": "2021-02-03T04:05:06.000Z"},
            "a date in the future": {"reviewDate": tomorrow},
            "the author's name": {"author": {"authorName": "Another Name"}},
        }
        for shown, change in changes.items():
            before = self.its.get(review_id)
            answer = self.its.update(review_id, before.get("revision"), None, change)
            (name,) = change
            after = self.its.get(review_id)
            is_changed = before.get(name) != after.get(name)
            outcome = "can be updated" if is_changed else "is left as it was"
            if not answer.is_success:
                outcome = f"is refused ({_said(answer)})"
            said.append(f"{shown} {outcome}")
        return ", ".join(said)

    def _decisions(self, review_id: str) -> Iterator[Learned]:
        """Do moderation and a reply raise the revision, and is a rejected one shown to us?"""
        before = self.its.get(review_id).get("revision")
        answer = self._moderate(review_id, REJECTED)
        after = self.its.get(review_id)
        said = f"moderation is refused ({_said(answer)})"
        if answer.is_success and after:
            said = f"moderation {_moves(before, after)} the revision"
            yield SEES_REJECTED, SHOWN
        elif answer.is_success:
            said = "moderation could not be looked at"
            yield SEES_REJECTED, "LOUD: a rejected review is hidden from us, although we ask for it"
        self._moderate(review_id, APPROVED)
        before = self.its.get(review_id).get("revision")
        message = {"reviewId": review_id, "message": "Probe."}
        answer = self.its.call("set_reply", review_id, message)
        replied = f"a reply {_moves(before, self.its.get(review_id))} it"
        if not answer.is_success:
            replied = f"a reply is refused ({_said(answer)})"
        self.its.call("remove_reply", review_id, None)
        yield "U2", f"{said}, {replied}"

    def _moderate(self, review_id: str, status: str) -> Answer:
        decision = {"reviewId": review_id, "status": status}
        return self.its.call("moderate_review", review_id, decision)

    def _twins(self, review_id: str) -> str:
        """A second review of the same person: beside a published, a rejected, a deleted one."""
        said = [f"a second review is answered {_said(self.its.create())}"]
        self._moderate(review_id, REJECTED)
        blocked = self.its.create()
        is_free = blocked.is_success
        said.append(f"a rejected one {'leaves room' if is_free else 'blocks'} ({_said(blocked)})")
        for one in list(self.its.made):
            self.its.delete(one)
        after = self.its.create()
        said.append(f"a deleted one {'leaves room' if after.is_success else 'blocks'}")
        return ", ".join(said)

    def _pictures(self) -> str:
        said = []
        for shown, url in (("of Wix", OWN_PICTURE), ("elsewhere", FOREIGN_PICTURE)):
            self.its.delete_all()
            answer = self.its.create(media=[{"image": {"url": url}}])
            review = review_in(answer)
            kept = objects_in(inside(review, "content"), "media")
            outcome = "kept" if kept else "dropped"
            if review is None:
                outcome = f"refused ({_said(answer)})"
            said.append(f"a picture {shown} is {outcome}")
        self.its.delete_all()
        return ", ".join(said)

    def _unknown_ids(self) -> str:
        said = []
        unknown = str(uuid.uuid4())
        for shown, change in (
            ("product", {"entityId": unknown}),
            ("contact", {"author": {"contactId": unknown}}),
        ):
            answer = self.its.create(**change)
            words = f"an unknown {shown} is answered {_said(answer)}"
            said.append(f"LOUD: an unknown {shown} is accepted" if answer.is_success else words)
            self.its.delete_all()
        return ", ".join(said)

    def _many(self) -> Iterator[Learned]:
        """Two at once, one of them without words."""
        rows = [self.its.draft(), self.its.draft(entityId=self.its.product_id)]
        rows[0]["content"] = {"rating": 4}
        answer = self.its.call("create_reviews", "", {"reviews": rows, "returnEntity": True})
        results = objects_in(answer.body, "results")
        good = [one for one in results if inside(one, "itemMetadata", "success") is True]
        self.its.made += [str(inside(one, "itemMetadata", "id")) for one in good]
        if not answer.is_success:
            yield "U16", f"Bulk Create is refused ({_said(answer)})"
            return
        yield "U16", f"Bulk Create answers each row: {len(good)} of {len(rows)} made, as expected 1"
        first = inside(results[0], "itemMetadata", "success") if results else None
        yield "U18", f"a review without words is {'accepted' if first is True else 'refused'}"
        self.its.delete_all()

    def _organic(self) -> str:
        """A visitor's review at a revision that cannot be right: nothing of it can change."""
        if self.organic_id is None:
            return "not asked: name a visitor's review with --organic REVIEW_ID"
        review = self.its.get(self.organic_id)
        if inside(review, "origin", "type") != "ORGANIC":
            return "not asked: that is no review by a visitor"
        content = review.get("content") or {}
        same = {name: content.get(name) for name in ("rating", "title", "body") if name in content}
        answer = self.its.update(self.organic_id, "0", same)
        if answer.status == 409:
            return "an update gets as far as the revision (409): likely writable by apps, no proof"
        if answer.is_success:
            return "LOUD: an update of a visitor's review at a wrong revision was accepted"
        return f"an update is answered {_said(answer)}: visitors' reviews are read-only for apps"


def _moves(before: Any, after: Mapping[str, Any]) -> str:
    return "keeps" if after.get("revision") == before else "raises"


def _status(review: Mapping[str, Any]) -> str:
    return str(inside(review, "moderation", "moderationStatus") or "UNKNOWN")


def _origin(review: Mapping[str, Any]) -> str:
    origin = review.get("origin") or {}
    app = f" of app {origin['appId']}" if isinstance(origin, dict) and origin.get("appId") else ""
    return f"a review that we create has the origin {inside(origin, 'type') or 'nothing'}{app}"


def _said(answer: Answer) -> str:
    """Status and code, as Wix names them."""
    code = error_code(answer.body) or str(inside(answer.body, "details", "validationError") or "")
    return f"{answer.status} {code[:80]}".strip()


def _and(names: list[str]) -> str:
    return ", ".join(names) or "nothing"
