"""What a visitor, an owner and a test can do with the reviews of the stand-in Wix."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from sync_sandbox.control.shared import VISITOR, answer, body_of, done
from sync_sandbox.wix.events import OWNER
from sync_sandbox.wix.reviews.moderation import APPROVED, REJECTED, Mode
from sync_sandbox.wix.reviews.records import status_of
from sync_sandbox.wix.reviews.store import WixReviews
from sync_sandbox.wix.state import WixState

MEMBER = {"identityType": "MEMBER", "memberId": VISITOR}  # as Wix names who did it
PATH, SHOWN = "/sandbox/reviews", 200
MODES = {
    Mode.OFF: "are published at once",
    Mode.LATE: "are published a moment later",
    Mode.MANUAL: "wait for the owner",
    Mode.LOW_STARS: "of 1 or 2 stars wait for the owner",
    Mode.REJECT: "are rejected",
}


def add_review_controls(app: Blueprint, reviews: WixReviews) -> None:
    """A visitor writes, edits, votes and deletes; the owner approves, rejects and replies."""
    _add_visitors_acts(app, reviews)
    _add_owners_acts(app, reviews)


def _add_visitors_acts(app: Blueprint, reviews: WixReviews) -> None:
    @app.post(PATH)
    def write_review() -> BaseResponse:
        body = body_of()
        author = {"contactId": body.get("person"), "authorName": body.get("name")}
        review = {
            "namespace": "stores",
            "entityId": body.get("entity"),
            "author": author,
            "content": _content(body),
            "reviewDate": body.get("date"),
        }
        return done(reviews.create(review, MEMBER))

    @app.patch(f"{PATH}/<review_id>")
    @app.post(f"{PATH}/<review_id>")
    def edit_review(review_id: str) -> BaseResponse:
        changes = {"content": _content(body_of())}
        return done(reviews.update(review_id, changes, MEMBER, is_client=False))

    @app.delete(f"{PATH}/<review_id>")
    @app.post(f"{PATH}/<review_id>/delete")
    def delete_review(review_id: str) -> BaseResponse:
        privacy = request.args.get("privacy") == "true"
        reviews.delete(review_id, MEMBER, privacy=privacy)
        return redirect("/") if request.method == "POST" else answer({})

    @app.post(f"{PATH}/<review_id>/vote")
    def vote_review(review_id: str) -> BaseResponse:
        is_helpful = body_of().get("helpful", True) in (True, "true", "on")
        return done(reviews.vote(review_id, MEMBER, is_helpful=is_helpful))


def _add_owners_acts(app: Blueprint, reviews: WixReviews) -> None:
    @app.post(f"{PATH}/<review_id>/approve")
    def approve_review(review_id: str) -> BaseResponse:
        return done(reviews.moderate(review_id, APPROVED, OWNER))

    @app.post(f"{PATH}/<review_id>/reject")
    def reject_review(review_id: str) -> BaseResponse:
        return done(reviews.moderate(review_id, REJECTED, OWNER))

    @app.post(f"{PATH}/<review_id>/reply")
    def reply_review(review_id: str) -> BaseResponse:
        return done(reviews.reply(review_id, str(body_of().get("message", "")), OWNER))

    @app.delete(f"{PATH}/<review_id>/reply")
    def remove_review_reply(review_id: str) -> Response:
        return answer(reviews.reply(review_id, None, OWNER))

    @app.put(f"{PATH}/moderation")
    @app.post(f"{PATH}/moderation")
    def set_moderation() -> BaseResponse:
        body = body_of()
        try:
            reviews.mode = Mode(str(body.get("mode")))
            reviews.late_seconds = float(body.get("late_seconds", reviews.late_seconds))
        except ValueError as error:
            return answer({"error": f"{error}; the modes are {', '.join(Mode)}"}, 400)
        return done({"mode": reviews.mode, "late_seconds": reviews.late_seconds})


def review_rows(wix: WixState) -> list[dict[str, Any]]:
    """The last reviews, for the page."""
    return [
        {
            "id": one["id"],
            "entity": one["entityId"],
            "person": address_of(wix, one["author"]["contactId"]),
            "status": status_of(one),
            "origin": one["origin"]["type"],
            "stars": one["content"]["rating"],
            "title": one["content"].get("title") or "",
            "body": one["content"].get("body") or "",
            "reply": one.get("reply", {}).get("message", ""),
            "revision": one["revision"],
        }
        for one in list(wix.reviews.by_id.values())[-SHOWN:]
    ]


def address_of(wix: WixState, contact_id: str) -> str:
    """A contact in words."""
    contact = wix.contacts.get(contact_id)
    return str(contact["primaryInfo"].get("email") or contact_id) if contact else contact_id


def _content(body: dict[str, Any]) -> dict[str, Any]:
    """Stars and words of a form or of a test; a name that is not there changes nothing."""
    names = ("title", "body", "media")
    content: dict[str, Any] = {name: body[name] for name in names if name in body}
    if "value" in body:
        content["rating"] = int(body["value"])
    return content
