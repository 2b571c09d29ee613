"""What a visitor, an owner and a test can do on the stand-in Wix."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from sync_sandbox.control.shared import add_shared, answer, body_of, done
from sync_sandbox.control.wix_reviews import (
    MEMBER,
    MODES,
    add_review_controls,
    address_of,
    review_rows,
)
from sync_sandbox.wix.app import create_wix_app
from sync_sandbox.wix.state import WixState


def wix_app(wix: WixState) -> Flask:
    """The stand-in Wix with its controls."""
    app = create_wix_app(wix)
    app.register_blueprint(wix_control(wix))
    return app


def wix_control(wix: WixState) -> Blueprint:
    """What a visitor, an owner and a test can do on the stand-in Wix."""
    app = Blueprint("control", __name__)
    add_shared(app, wix)
    _add_ratings(app, wix)
    add_review_controls(app, wix.reviews)
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
            reviews=review_rows(wix),
            modes=MODES,
            people=people[:500],
            state=wix,
            best=100,
            side="wix",
        )

    @app.get("/sandbox/state")
    def state() -> Response:
        return answer(
            {
                "ratings": list(wix.ratings.values()),
                "reviews": list(wix.reviews.by_id.values()),
                "moderation": wix.reviews.mode,
                "contacts": list(wix.contacts.values()),
            }
        )

    return app


def _add_ratings(app: Blueprint, wix: WixState) -> None:
    @app.post("/sandbox/ratings")
    def rate() -> BaseResponse:
        body = body_of()
        owner = body.get("owner") or {"contactId": body.get("person")}
        rating = {
            "namespace": body.get("namespace", "reviews"),
            "group": body.get("group", "stores"),
            "entityId": body.get("entity"),
            "attributeName": body.get("attribute", "overall"),
            "value": int(body.get("value", -1)),
            "owner": owner,
        }
        return done(wix.create_rating(rating, MEMBER))

    @app.patch("/sandbox/ratings/<rating_id>")
    @app.post("/sandbox/ratings/<rating_id>")
    def change(rating_id: str) -> BaseResponse:
        return done(wix.update_rating(rating_id, int(body_of().get("value", -1)), MEMBER))

    @app.delete("/sandbox/ratings/<rating_id>")
    @app.post("/sandbox/ratings/<rating_id>/delete")
    def delete(rating_id: str) -> BaseResponse:
        wix.delete_rating(rating_id, MEMBER, privacy=request.args.get("privacy") == "true")
        return redirect("/") if request.method == "POST" else answer({})


def _add_people(app: Blueprint, wix: WixState) -> None:
    @app.post("/sandbox/contacts")
    def add_contact() -> BaseResponse:
        body = body_of()
        return done(wix.add_contact(body.get("email"), body.get("name", "")))

    @app.post("/sandbox/contacts/merge")
    def merge() -> BaseResponse:
        body = body_of()
        wix.merge_contacts(body["source"], body["target"])
        return done({})

    @app.patch("/sandbox/contacts/<contact_id>")
    @app.post("/sandbox/contacts/<contact_id>")
    def change_contact(contact_id: str) -> BaseResponse:
        return done(wix.change_email(contact_id, str(body_of().get("email"))))

    @app.delete("/sandbox/contacts/<contact_id>")
    @app.post("/sandbox/contacts/<contact_id>/delete")
    def delete_contact(contact_id: str) -> BaseResponse:
        wix.delete_contact(contact_id, privacy=request.args.get("privacy") == "true")
        return redirect("/") if request.method == "POST" else answer({})

    @app.post("/sandbox/members")
    def add_member() -> BaseResponse:
        return done({"memberId": wix.add_member(body_of()["contactId"])})


def _add_app(app: Blueprint, wix: WixState) -> None:
    @app.post("/sandbox/app/install")
    def install() -> BaseResponse:
        body = body_of()
        wix.install(body.get("instance"), body.get("origin"))
        return done({})

    @app.post("/sandbox/app/remove")
    def remove() -> BaseResponse:
        wix.remove(body_of().get("instance"))
        return done({})

    @app.post("/sandbox/tokens/revoke")
    def revoke() -> BaseResponse:
        wix.revoke_tokens()
        return done({})


def _person(wix: WixState, owner: dict[str, str]) -> str:
    if owner.get("contactId") not in wix.contacts:
        return str(owner)
    return address_of(wix, owner["contactId"])
