"""The flow that the guide to Wix's Ratings describes, as plainly as it reads: what our remote calls
are compared with.

Towards the external system: translate by the mappings, send, ignore the echo. Towards Wix: find the
contact, check whether this contact has rated already, create; ignore the echo (guide "Sample use
cases and flows" of the Ratings API; it names only Create, the rest follows from the schema).
Nothing is stored durably, nothing is repeated.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
import requests
from flask import Flask, Response, jsonify, request

from sync_sandbox.server import Sandbox
from sync_sandbox.wix_side import GROUP, NAMESPACE


@dataclass
class PlainFlow:
    """``products``: Wix id to external id; ``emails``: by contact id.

    ``partners``: external record of a Wix rating.
    """

    box: Sandbox
    products: Mapping[str, str]
    emails: Mapping[str, str]
    partners: dict[str, str] = field(default_factory=dict)
    written: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._turn = (
            threading.Lock()
        )  # an echo that comes before the answer waits until the write is known
        self._wix, self._reviews = requests.Session(), requests.Session()
        self._wix.headers["Authorization"] = self.box.wix.new_token()
        self._reviews.headers["Authorization"] = f"Bearer {self.box.reviews.token}"

    def app(self) -> Flask:
        app = Flask("plain-flow")

        @app.post("/webhooks/wix")
        def hear_wix() -> Response:
            claims = jwt.decode(request.get_data(), self.box.wix.public_key, algorithms=["RS256"])
            envelope = json.loads(claims["data"])
            with self._turn:
                if json.loads(envelope.get("identity", "{}")).get("appId") != self.box.wix.app_id:
                    self.to_external(json.loads(envelope["data"]))
            return jsonify(result="ok")

        @app.post("/webhooks/external/own-service")
        def hear_external() -> Response:
            event = request.get_json()
            with self._turn:
                if (event["data"]["id"], event["data"]["version"]) not in self.written:
                    self.to_wix(event["type"], event["data"])
            return jsonify(result="ok")

        return app

    # -- Wix to external

    def to_external(self, event: Mapping[str, Any]) -> None:
        rating_id, partner = event["entityId"], self.partners.get(event["entityId"])
        match event["slug"]:
            case "created":
                self._send(rating_id, "POST", "/v1/ratings", event["createdEvent"]["entity"])
            case "updated" if partner is not None:
                self._send(
                    rating_id,
                    "PUT",
                    f"/v1/ratings/{partner}",
                    event["updatedEvent"]["currentEntity"],
                )
            case "deleted" if partner is not None:
                self._reviews.delete(f"{self.box.reviews_url}/v1/ratings/{partner}", timeout=5)
                del self.partners[rating_id]

    def _send(self, rating_id: str, method: str, path: str, rating: Mapping[str, Any]) -> None:
        record = {
            "subject": {"id": self.products[rating["entityId"]]},
            "author": {"email": self.emails[rating["owner"]["contactId"]]},
            "score": rating["value"] / 20,
        }
        answer = self._reviews.request(
            method, f"{self.box.reviews_url}{path}", json=record, timeout=5
        )
        if answer.ok:
            self._remember(rating_id, answer.json())

    def _remember(self, rating_id: str, record: Mapping[str, Any]) -> None:
        self.partners[rating_id] = record["id"]
        self.written.add((record["id"], record["version"]))

    # -- external to Wix

    def to_wix(self, event_type: str, record: Mapping[str, Any]) -> None:
        if event_type == "rating.deleted":
            rating_id = next(
                (one for one, partner in self.partners.items() if partner == record["id"]), None
            )
            if rating_id is not None:
                self._wix.delete(f"{self.box.wix_url}/ratings/v1/ratings/{rating_id}", timeout=5)
                self.partners.pop(rating_id, None)
            return
        contact = self._contact(record["author"]["email"])
        entity = next(
            one for one, external in self.products.items() if external == record["subject"]["id"]
        )
        rated = self._rated(contact, entity)
        rating: dict[str, Any] = {"value": int(float(record["score"]) * 20)}
        if rated is None:
            rating |= {
                "namespace": NAMESPACE,
                "group": GROUP,
                "entityId": entity,
                "attributeName": "overall",
            }
            self._write("POST", "", rating | {"owner": {"contactId": contact}}, record)
        elif event_type == "rating.updated":
            self._write(
                "PATCH", f"/{rated['id']}", rating | {"revision": rated["revision"]}, record
            )

    def _write(
        self, method: str, path: str, rating: Mapping[str, Any], record: Mapping[str, Any]
    ) -> None:
        url = f"{self.box.wix_url}/ratings/v1/ratings{path}"
        answer = self._wix.request(method, url, json={"rating": rating}, timeout=5)
        if answer.ok:
            self.partners[answer.json()["rating"]["id"]] = record["id"]

    def _contact(self, email: str) -> str:
        query = {"query": {"filter": {"info.emails.email": {"$in": [email]}}}}
        answer = self._wix.post(
            f"{self.box.wix_url}/contacts/v4/contacts/query", json=query, timeout=5
        )
        return str(answer.json()["contacts"][0]["id"])

    def _rated(self, contact_id: str, entity: str) -> Mapping[str, Any] | None:
        where = {"group": GROUP, "entityId": entity, "owner.contactId": {"$eq": contact_id}}
        url = f"{self.box.wix_url}/ratings/v1/ratings/query"
        found = self._wix.post(url, json={"query": {"filter": where}}, timeout=5).json()["ratings"]
        return found[0] if found else None
