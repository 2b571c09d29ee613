"""The HTTP of the stand-in Wix: OAuth, Ratings, Reviews, Contacts v4, Members and App Instance."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Flask, Response, g, jsonify, request
from flask.json.provider import DefaultJSONProvider

from sync_sandbox.faults import install
from sync_sandbox.served import StandIn
from sync_sandbox.wix.bodies import body_of, caller, part_of
from sync_sandbox.wix.catalog import API as STORES
from sync_sandbox.wix.catalog import add_catalog
from sync_sandbox.wix.refusal import Refusal
from sync_sandbox.wix.reviews.routes import add_reviews
from sync_sandbox.wix.state import WixState
from sync_worker.core import exact_json
from sync_worker.core.words import as_received

API = ("/ratings/", "/reviews/", "/contacts/", "/members/", "/apps/", "/oauth2/", *STORES)


class _ExactJson(DefaultJSONProvider):
    """Writes what the state holds digit for digit, whatever somebody has put there."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return as_received(exact_json.dumps(obj))


def create_wix_app(wix: WixState) -> Flask:
    """The API of the stand-in. Control endpoints are added by ``sync_sandbox.control``."""
    app = StandIn()
    app.json = _ExactJson(app)

    @app.before_request
    def admit() -> Response | None:
        if not request.path.startswith(API) or request.path.startswith("/oauth2/"):
            return None
        wix.calls[f"{request.method} {_template(request.path)}"] += 1
        known = wix.caller(
            request.headers.get("Authorization", ""), request.headers.get("wix-site-id")
        )
        if known is None:
            return Refusal(401, "UNAUTHENTICATED").response()
        g.caller = known
        if wix.is_over_limit():
            return Refusal(429, "RESOURCE_EXHAUSTED").response()
        return None

    install(app, wix.faults, API)

    @app.after_request
    def sign_off(response: Response) -> Response:
        response.headers["X-Wix-Request-Id"] = uuid.uuid4().hex
        return response

    @app.errorhandler(Refusal)
    def refuse(refusal: Refusal) -> Response:
        return refusal.response()

    _add_sign_in(app, wix)
    _add_ratings(app, wix)
    add_reviews(app, wix.reviews)
    _add_people(app, wix)
    add_catalog(app, wix.catalog, wix.faults)
    return app


def _add_sign_in(app: Flask, wix: WixState) -> None:
    @app.post("/oauth2/token")
    def token() -> Response:
        wix.calls["POST /oauth2/token"] += 1
        body = body_of()
        right = ("client_credentials", wix.app_id, wix.app_secret, wix.instance_id)
        names = ("grant_type", "client_id", "client_secret", "instance_id")
        if tuple(body.get(name) for name in names) != right:
            answer = jsonify(
                error="invalid_client", error_description="unknown app, secret or instance"
            )
            answer.status_code = 400
            return answer
        return jsonify(
            {
                "access_token": wix.new_token(),
                "token_type": "Bearer",
                "expires_in": wix.token_seconds,
            }
        )

    @app.get("/apps/v1/instance")
    def instance() -> Response:
        permissions = [
            "Read Ratings",
            "Manage Ratings",
            "Manage Reviews",
            "Read Contacts",
            "Manage Contacts",
            "Read Members",
        ]
        about = {
            "instanceId": wix.instance_id,
            "appName": "ratings-sync sandbox",
            "permissions": permissions,
        }
        site = {
            "siteId": wix.site_id,
            "siteDisplayName": "Sandbox shop",
            "installedWixApps": wix.installed_apps,
        }
        return jsonify(instance=about, site=site)


def _add_ratings(app: Flask, wix: WixState) -> None:
    @app.post("/ratings/v1/ratings")
    def create() -> Response:
        return jsonify(rating=wix.create_rating(part_of("rating"), caller()))

    @app.get("/ratings/v1/ratings/<rating_id>")
    def get(rating_id: str) -> Response:
        if rating_id not in wix.ratings:
            raise Refusal(404, "RATING_NOT_FOUND")
        return jsonify(rating=wix.ratings[rating_id])

    @app.patch("/ratings/v1/ratings/<rating_id>")
    def update(rating_id: str) -> Response:
        rating = part_of("rating")
        revision = rating.get("revision")
        if not isinstance(revision, str):
            raise Refusal(400, "rating.revision", "must be the revision as a text")
        return jsonify(rating=wix.update_rating(rating_id, rating.get("value"), caller(), revision))

    @app.delete("/ratings/v1/ratings/<rating_id>")
    def delete(rating_id: str) -> Response:
        wix.delete_rating(rating_id, caller())
        return jsonify({})

    @app.post("/ratings/v1/ratings/query")
    def query() -> Response:
        return jsonify(wix.query_ratings(part_of("query")))


def _add_people(app: Flask, wix: WixState) -> None:
    @app.post("/contacts/v4/contacts/query")
    def query_contacts() -> Response:
        found = wix.find_contacts(part_of("query").get("filter") or {})
        return jsonify(
            contacts=found, pagingMetadata={"count": len(found), "offset": 0, "total": len(found)}
        )

    @app.post("/contacts/v4/contacts")
    def create_contact() -> Response:
        body = body_of()
        info = body.get("info") or {}
        items = (info.get("emails") or {}).get("items") or []
        email = items[0].get("email") if items else None
        name = (info.get("name") or {}).get("first", "")
        contact = wix.add_contact(
            email, name, by=caller(), allow_duplicates=body.get("allowDuplicates") is True
        )
        return jsonify(contact=contact)

    @app.get("/contacts/v4/contacts/<contact_id>")
    def get_contact(contact_id: str) -> Response:
        kind = "REGULAR"
        while contact_id in wix.merged:
            contact_id, kind = wix.merged[contact_id], "MERGED"
        if contact_id not in wix.contacts:
            raise Refusal(404, "CONTACT_NOT_FOUND")
        return jsonify(contact=wix.contacts[contact_id], responseType=kind)

    @app.delete("/contacts/v4/contacts/<contact_id>")
    def delete_contact(contact_id: str) -> Response:
        if contact_id not in wix.contacts:
            raise Refusal(404, "CONTACT_NOT_FOUND")
        wix.delete_contact(contact_id)
        return jsonify({})

    @app.get("/members/v1/members/<member_id>")
    def get_member(member_id: str) -> Response:
        contact = wix.contacts.get(wix.members.get(member_id, ""))
        if contact is None:
            raise Refusal(404, "MEMBER_NOT_FOUND")
        email = contact["primaryInfo"].get("email")
        return jsonify(member={"id": member_id, "contactId": contact["id"], "loginEmail": email})


def _template(path: str) -> str:
    """A path without its ids, for the counters."""
    return "/".join("{id}" if len(part) == 36 else part for part in path.split("/"))
