"""What a visitor, a moderator and a test can do on the stand-in review service."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from sync_sandbox.control.shared import VISITOR, add_shared, answer, body_of, done
from sync_sandbox.reviews import ReviewsState, create_reviews_app


def reviews_app(reviews: ReviewsState) -> Flask:
    """The stand-in review service with its controls."""
    app = create_reviews_app(reviews)
    app.register_blueprint(reviews_control(reviews))
    return app


def reviews_control(reviews: ReviewsState) -> Blueprint:
    """What a visitor, a moderator and a test can do on the stand-in review service."""
    app = Blueprint("control", __name__)
    add_shared(app, reviews)

    @app.get("/")
    def page() -> str:
        rows = [
            {
                "id": one["id"],
                "entity": one["subject"]["id"],
                "person": one["author"]["email"],
                "what": one["visibility"],
                "value": one["score"],
                "title": one["headline"] or "",
                "text": one["text"] or "",
                "note": f"version {one['version']}",
            }
            for one in list(reviews.ratings.values())[-200:]
            if one["visibility"] != "removed"
        ]
        return render_template(
            "page.html",
            title="Stand-in review service",
            rows=rows,
            people=[],
            state=reviews,
            best=5,
            side="external",
        )

    @app.get("/sandbox/state")
    def state() -> Response:
        return answer({"ratings": list(reviews.ratings.values())})

    _add_ratings(app, reviews)
    return app


def _add_ratings(app: Blueprint, reviews: ReviewsState) -> None:
    @app.post("/sandbox/ratings")
    def rate() -> BaseResponse:
        body = body_of()
        draft = {
            "subject": {"id": body.get("entity")},
            "author": {"email": body.get("person"), "display_name": body.get("name", "Visitor")},
            "score": body.get("value"),
            "headline": body.get("title"),
            "text": body.get("text"),
            "aspects": body.get("aspects", []),
        }
        return done(reviews.create(draft, by=VISITOR))

    @app.patch("/sandbox/ratings/<rating_id>")
    @app.post("/sandbox/ratings/<rating_id>")
    def change(rating_id: str) -> BaseResponse:
        body = body_of()
        names = {
            "value": "score",
            "title": "headline",
            "text": "text",
            "visibility": "visibility",
            "aspects": "aspects",
        }
        changes = {names[name]: value for name, value in body.items() if name in names}
        return done(reviews.change(rating_id, changes, by=VISITOR))

    @app.delete("/sandbox/ratings/<rating_id>")
    @app.post("/sandbox/ratings/<rating_id>/delete")
    def delete(rating_id: str) -> BaseResponse:
        reviews.remove(rating_id, by=VISITOR)
        return redirect("/") if request.method == "POST" else answer({})
