"""The calls of Wix Reviews, by both families of paths that Wix's own pages show.

https://dev.wix.com/docs/api-reference/crm/community/feedback-moderation/reviews/reviews
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request

from sync_sandbox.wix.bodies import body_of, caller, part_of
from sync_sandbox.wix.refusal import Refusal
from sync_sandbox.wix.reviews.news import shown
from sync_sandbox.wix.reviews.store import WixReviews

FAMILIES = {"reviews": "/reviews/v1", "reviews_api": "/reviews/api/v1"}


def add_reviews(app: Flask, reviews: WixReviews) -> None:
    """All calls, under each family of paths."""
    for name, prefix in FAMILIES.items():
        paths = Blueprint(name, __name__, url_prefix=prefix)
        _add_records(paths, reviews)
        _add_lists(paths, reviews)
        _add_owners_calls(paths, reviews)
        app.register_blueprint(paths)


def _add_records(paths: Blueprint, reviews: WixReviews) -> None:
    @paths.post("/reviews")
    def create() -> Response:
        return _answer(reviews, reviews.create(part_of("review"), caller()))

    @paths.get("/reviews/<review_id>")
    def get(review_id: str) -> Response:
        is_private = request.args.get("returnPrivateReviews") == "true"
        return _answer(reviews, reviews.get(review_id, private=is_private))

    @paths.patch("/reviews/<review_id>")
    def update(review_id: str) -> Response:
        return _answer(reviews, reviews.update(review_id, part_of("review"), caller()))

    @paths.delete("/reviews/<review_id>")
    def delete(review_id: str) -> Response:
        return _answer(reviews, reviews.delete(review_id, caller()))


def _add_lists(paths: Blueprint, reviews: WixReviews) -> None:
    @paths.post("/bulk/reviews/create")
    def create_many() -> Response:
        body = body_of()
        given, is_whole = body.get("reviews"), body.get("returnEntity") is True
        if not isinstance(given, list):
            raise Refusal(400, "reviews", "must be a list")
        made = reviews.create_many(given, caller(), whole=is_whole)
        for result in made["results"]:
            if "review" in result:
                result["review"] = shown(result["review"], reviews.faults)
        return jsonify(made)

    @paths.post("/reviews/query")
    def query() -> Response:
        is_private = body_of().get("returnPrivateReviews") is True
        found = reviews.search.query(part_of("query"), private=is_private)
        listed = [shown(review, reviews.faults) for review in found["reviews"]]
        return jsonify(found | {"reviews": listed})

    @paths.post("/reviews/count")
    def count() -> Response:
        body = body_of()
        is_private = body.get("includePrivateReviews") is True
        return jsonify(count=reviews.search.count(body.get("filter") or {}, private=is_private))

    # What a filter that is empty by mistake would do there is not worth a test.
    @paths.post("/bulk/reviews/delete")
    @paths.post("/bulk/reviews/moderate")
    def by_filter() -> Response:
        raise Refusal(501, "UNIMPLEMENTED", "the stand-in does nothing by filter")


def _add_owners_calls(paths: Blueprint, reviews: WixReviews) -> None:
    @paths.patch("/reviews/<review_id>/moderate")
    def moderate(review_id: str) -> Response:
        status = _named(review_id).get("status")
        return _answer(reviews, reviews.moderate(review_id, status, caller()))

    @paths.patch("/reviews/<review_id>/reply")
    def reply(review_id: str) -> Response:
        message = _named(review_id).get("message")
        return _answer(reviews, reviews.reply(review_id, message or "", caller()))

    @paths.delete("/reviews/<review_id>/reply")
    def remove_reply(review_id: str) -> Response:
        return _answer(reviews, reviews.reply(review_id, None, caller()))


def _named(review_id: str) -> Mapping[str, Any]:
    """A body that may name the review of the path again, and no other."""
    body = body_of()
    if body.get("reviewId", review_id) != review_id:
        raise Refusal(400, "reviewId", "is not that of the path")
    return body


def _answer(reviews: WixReviews, review: dict[str, Any]) -> Response:
    return jsonify(review=shown(review, reviews.faults))
