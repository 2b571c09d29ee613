"""How people and tests act on the stand-ins: a JSON control API under ``/sandbox``, and a small
page at ``/``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Blueprint, Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from sync_sandbox import reviews as reviews_module
from sync_sandbox.platform import Platform, Review
from sync_sandbox.reviews import ReviewsState
from sync_sandbox.wix import WixState
from sync_sandbox.wix_app import create_wix_app
from sync_worker.core import exact_json

VISITOR = "visitor"
MEMBER = {"identityType": "MEMBER", "memberId": VISITOR}  # as Wix names who did it


def _answer(body: Any, status: int = 200) -> Response:
    return Response(exact_json.dumps(body), status, mimetype="application/json")


def _body() -> dict[str, Any]:
    """JSON, or the fields of the page's form."""
    if request.form:
        return {name: value for name, value in request.form.items() if value != ""}
    body = exact_json.loads(request.get_data() or b"{}")
    return body if isinstance(body, dict) else {}


def _done(result: Any) -> BaseResponse:
    """Back to the page after a form, else the result as JSON."""
    return redirect("/") if request.form else _answer(result)


def add_shared(app: Blueprint, state: WixState | ReviewsState | Platform) -> None:
    """What both sides offer: counters, journal, faults, webhooks."""

    @app.get("/sandbox/counters")
    def counters() -> Response:
        return _answer({"calls": dict(state.calls), "faults": dict(state.faults.struck)})

    @app.get("/sandbox/journal")
    def journal() -> Response:
        return _answer(state.journal)

    @app.get("/sandbox/faults")
    def faults() -> Response:
        return _answer(state.faults.as_json())

    @app.put("/sandbox/faults")
    @app.post("/sandbox/faults")
    def set_faults() -> BaseResponse:
        body = _body()
        if request.form:
            body = {
                str(body.get("name")): {
                    "next": body.get("next", 0),
                    "chance": body.get("chance", 0),
                }
            }
        try:
            state.faults.update(body)
        except (KeyError, TypeError, ValueError) as error:
            return _answer({"error": f"unknown fault or value: {error}"}, 400)
        return _done(state.faults.as_json())

    @app.get("/sandbox/webhooks")
    def webhooks() -> Response:
        sent = state.webhooks.sent[-500:]
        rows = [
            {"event_id": one.event_id, "remote_id": one.remote_id, "statuses": one.statuses}
            for one in sent
        ]
        return _answer({"pending": state.webhooks.pending(), "sent": rows})

    @app.post("/sandbox/webhooks/flush")
    def flush() -> BaseResponse:
        return _done({"flushed": state.webhooks.flush(30)})

    @app.post("/sandbox/webhooks/redeliver")
    def redeliver() -> BaseResponse:
        return _done({"redelivered": state.webhooks.again(str(_body().get("id")))})


def wix_control(wix: WixState) -> Blueprint:
    """What a visitor, an owner and a test can do on the stand-in Wix."""
    app = Blueprint("control", __name__)
    add_shared(app, wix)
    _add_ratings(app, wix)
    _add_people(app, wix)
    _add_app(app, wix)

    @app.get("/")
    def page() -> str:
        rows = [
            {
                "id": one["id"],
                "entity": one["entityId"],
                "person": _person(wix, one["owner"]),
                "what": one["attributeName"],
                "value": one["value"],
                "note": f"revision {one['revision']}",
            }
            for one in list(wix.ratings.values())[-200:]
        ]
        people = [
            (one["primaryInfo"].get("email") or one["id"], one["id"])
            for one in wix.contacts.values()
        ]
        return render_template(
            "page.html",
            title="Stand-in Wix site",
            rows=rows,
            people=people[:500],
            state=wix,
            best=100,
            side="wix",
        )

    @app.get("/sandbox/state")
    def state() -> Response:
        return _answer(
            {"ratings": list(wix.ratings.values()), "contacts": list(wix.contacts.values())}
        )

    return app


def _add_ratings(app: Blueprint, wix: WixState) -> None:
    @app.post("/sandbox/ratings")
    def rate() -> BaseResponse:
        body = _body()
        owner = body.get("owner") or {"contactId": body.get("person")}
        rating = {
            "namespace": body.get("namespace", "reviews"),
            "group": body.get("group", "stores"),
            "entityId": body.get("entity"),
            "attributeName": body.get("attribute", "overall"),
            "value": int(body.get("value", -1)),
            "owner": owner,
        }
        return _done(wix.create_rating(rating, MEMBER))

    @app.patch("/sandbox/ratings/<rating_id>")
    @app.post("/sandbox/ratings/<rating_id>")
    def change(rating_id: str) -> BaseResponse:
        return _done(wix.update_rating(rating_id, int(_body().get("value", -1)), MEMBER))

    @app.delete("/sandbox/ratings/<rating_id>")
    @app.post("/sandbox/ratings/<rating_id>/delete")
    def delete(rating_id: str) -> BaseResponse:
        wix.delete_rating(rating_id, MEMBER, privacy=request.args.get("privacy") == "true")
        return redirect("/") if request.method == "POST" else _answer({})


def _add_people(app: Blueprint, wix: WixState) -> None:
    @app.post("/sandbox/contacts")
    def add_contact() -> BaseResponse:
        body = _body()
        return _done(wix.add_contact(body.get("email"), body.get("name", "")))

    @app.post("/sandbox/contacts/merge")
    def merge() -> BaseResponse:
        body = _body()
        wix.merge_contacts(body["source"], body["target"])
        return _done({})

    @app.patch("/sandbox/contacts/<contact_id>")
    @app.post("/sandbox/contacts/<contact_id>")
    def change_contact(contact_id: str) -> BaseResponse:
        return _done(wix.change_email(contact_id, str(_body().get("email"))))

    @app.delete("/sandbox/contacts/<contact_id>")
    @app.post("/sandbox/contacts/<contact_id>/delete")
    def delete_contact(contact_id: str) -> BaseResponse:
        wix.delete_contact(contact_id, privacy=request.args.get("privacy") == "true")
        return redirect("/") if request.method == "POST" else _answer({})

    @app.post("/sandbox/members")
    def add_member() -> BaseResponse:
        return _done({"memberId": wix.add_member(_body()["contactId"])})


def _add_app(app: Blueprint, wix: WixState) -> None:
    @app.post("/sandbox/app/install")
    def install() -> BaseResponse:
        body = _body()
        wix.install(body.get("instance"), body.get("origin"))
        return _done({})

    @app.post("/sandbox/app/remove")
    def remove() -> BaseResponse:
        wix.remove(_body().get("instance"))
        return _done({})

    @app.post("/sandbox/tokens/revoke")
    def revoke() -> BaseResponse:
        wix.revoke_tokens()
        return _done({})


def _person(wix: WixState, owner: dict[str, str]) -> str:
    contact = wix.contacts.get(owner.get("contactId", ""))
    return str(contact["primaryInfo"].get("email")) if contact else str(owner)


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
        return _answer({"ratings": list(reviews.ratings.values())})

    @app.post("/sandbox/ratings")
    def rate() -> BaseResponse:
        body = _body()
        draft = {
            "subject": {"id": body.get("entity")},
            "author": {"email": body.get("person"), "display_name": body.get("name", "Visitor")},
            "score": body.get("value"),
            "text": body.get("text"),
            "aspects": body.get("aspects", []),
        }
        return _done(reviews.create(draft, by=VISITOR))

    @app.patch("/sandbox/ratings/<rating_id>")
    @app.post("/sandbox/ratings/<rating_id>")
    def change(rating_id: str) -> BaseResponse:
        body = _body()
        names = {"value": "score", "text": "text", "visibility": "visibility", "aspects": "aspects"}
        changes = {names[name]: value for name, value in body.items() if name in names}
        return _done(reviews.change(rating_id, changes, by=VISITOR))

    @app.delete("/sandbox/ratings/<rating_id>")
    @app.post("/sandbox/ratings/<rating_id>/delete")
    def delete(rating_id: str) -> BaseResponse:
        reviews.remove(rating_id, by=VISITOR)
        return redirect("/") if request.method == "POST" else _answer({})

    return app


def platform_control(platform: Platform) -> Blueprint:
    """What a visitor, a moderator and a test can do on the stand-in of a review platform."""
    app = Blueprint("control", __name__)
    add_shared(app, platform)

    def row(review: Review) -> dict[str, Any]:
        return {
            "id": review.id,
            "entity": review.product,
            "person": review.email,
            "what": review.state,
            "value": review.stars,
            "note": review.text,
        }

    @app.get("/")
    def page() -> str:
        rows = [row(one) for one in list(platform.reviews.values())[-200:]]
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
        return _answer({"reviews": [row(one) for one in list(platform.reviews.values())]})

    @app.post("/sandbox/ratings")
    def rate() -> BaseResponse:
        body = _body()
        who = str(body.get("person")), str(body.get("name", "Visitor"))
        texts = {"title": str(body.get("title", "A visit")), "text": str(body.get("text", "Nice"))}
        stars = int(Decimal(str(body.get("value", 0))))
        return _done(
            row(platform.create(str(body.get("entity")), *who, stars, by=VISITOR, **texts))
        )

    @app.patch("/sandbox/ratings/<int:review_id>")
    @app.post("/sandbox/ratings/<int:review_id>")
    def change(review_id: int) -> BaseResponse:
        body = _body()
        changes: dict[str, Any] = {
            name: str(body[name]) for name in ("title", "text", "state") if name in body
        }
        if "value" in body:
            changes["stars"] = int(Decimal(str(body["value"])))
        return _done(row(platform.change(review_id, by=VISITOR, **changes)))

    @app.delete("/sandbox/ratings/<int:review_id>")
    @app.post("/sandbox/ratings/<int:review_id>/delete")
    def delete(review_id: int) -> BaseResponse:
        platform.remove(review_id, by=VISITOR)
        return redirect("/") if request.method == "POST" else _answer({})

    return app


def wix_app(wix: WixState) -> Flask:
    """The stand-in Wix with its controls."""
    app = create_wix_app(wix)
    app.register_blueprint(wix_control(wix))
    return app


def platform_app(platform: Platform) -> Flask:
    """The stand-in of a review platform with its controls."""
    app = platform.app()
    app.register_blueprint(platform_control(platform))
    return app


def reviews_app(reviews: ReviewsState) -> Flask:
    """The stand-in review service with its controls."""
    app = reviews_module.create_reviews_app(reviews)
    app.register_blueprint(reviews_control(reviews))
    return app
