"""What a visitor, a moderator and a test can do on the stand-in of a review platform."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Blueprint, Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from sync_sandbox.control.shared import VISITOR, add_shared, answer, body_of, done
from sync_sandbox.platforms.apps import create_platform_app
from sync_sandbox.platforms.platform import Platform, Review


def platform_app(platform: Platform) -> Flask:
    """The stand-in of a review platform with its controls."""
    app = create_platform_app(platform)
    app.register_blueprint(platform_control(platform))
    return app


def platform_control(platform: Platform) -> Blueprint:
    """What a visitor, a moderator and a test can do on the stand-in of a review platform."""
    app = Blueprint("control", __name__)
    add_shared(app, platform)

    @app.get("/")
    def page() -> str:
        rows = [_row(review) for review in list(platform.reviews.values())[-200:]]
        title = f"Stand-in {platform.name}"
        return render_template(
            "page.html",
            title=title,
            rows=rows,
            people=[],
            state=platform,
            best=platform.most_stars,
            side="external",
        )

    @app.get("/sandbox/state")
    def state() -> Response:
        return answer({"reviews": [_row(review) for review in list(platform.reviews.values())]})

    _add_ratings(app, platform)
    return app


def _add_ratings(app: Blueprint, platform: Platform) -> None:
    @app.post("/sandbox/ratings")
    def rate() -> BaseResponse:
        body = body_of()
        who = str(body.get("person")), str(body.get("name", "Visitor"))
        stars = int(Decimal(str(body.get("value", 0))))
        review = platform.create(
            str(body.get("entity")),
            *who,
            stars,
            by=VISITOR,
            title=str(body.get("title", "A visit")),
            text=str(body.get("text", "Nice")),
            is_guest=body.get("guest") in (True, "true", "on"),
        )
        return done(_row(review))

    @app.patch("/sandbox/ratings/<int:review_id>")
    @app.post("/sandbox/ratings/<int:review_id>")
    def change(review_id: int) -> BaseResponse:
        body = body_of()
        changes: dict[str, Any] = {
            name: str(body[name]) for name in ("title", "text", "reply", "state") if name in body
        }
        if "value" in body:
            changes["stars"] = int(Decimal(str(body["value"])))
        return done(_row(platform.change(review_id, by=VISITOR, **changes)))

    @app.delete("/sandbox/ratings/<int:review_id>")
    @app.post("/sandbox/ratings/<int:review_id>/delete")
    def delete(review_id: int) -> BaseResponse:
        platform.remove(review_id, by=VISITOR)
        return redirect("/") if request.method == "POST" else answer({})


def _row(review: Review) -> dict[str, Any]:
    return {
        "id": review.id,
        "entity": review.product,
        "person": review.email,
        "what": review.state,
        "value": review.stars,
        "title": review.title,
        "text": review.text,
        "reply": review.reply,
        "note": "",
    }
