"""What people write who follow a tutorial: a Flask route that calls ``.delay()``, and tasks that
find the contact, look for a rating, and create one. The two-way flow is compared with it.

Its own writes come back as webhooks: it knows them by a key in Redis that lives for five minutes.
Celery has its own defaults. Nothing is stored durably, nothing is repeated.

``python -m benchmarks.tutorial`` serves the route on the server that the gateway has;
``celery -A benchmarks.tutorial worker --pool threads`` does the work.
"""

from __future__ import annotations

import json
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import jwt
import requests
from celery import Celery
from flask import Flask, Response, jsonify, request
from redis import Redis

from sync_sandbox.wix_side import GROUP, NAMESPACE
from webhook_gateway.serve import run

GUARD_SECONDS = 300
CALL_SECONDS = 30.0

app = Celery("tutorial", broker=os.environ.get("REDIS_URL", ""))


@lru_cache(maxsize=1)
def settings() -> dict[str, Any]:
    """Addresses, tokens, and the products of both sides: a file of JSON."""
    return cast(dict[str, Any], json.loads(Path(os.environ["TUTORIAL_FILE"]).read_text()))


@lru_cache(maxsize=1)
def redis() -> Redis:
    return Redis.from_url(os.environ["REDIS_URL"])


def flask_app() -> Flask:
    flask = Flask("tutorial")
    key = os.environ["WIX_PUBLIC_KEY"].replace("\\n", "\n")

    @flask.post("/webhooks/wix")
    def hear_wix() -> Response:
        claims = jwt.decode(request.get_data(), key, algorithms=["RS256"])
        envelope = json.loads(claims["data"])
        to_external.delay(json.loads(envelope["data"]))
        return jsonify(result="ok")

    @flask.post("/webhooks/external/own-service")
    def hear_external() -> Response:
        event = request.get_json()
        to_wix.delay(event["type"], event["data"])
        return jsonify(result="ok")

    return flask


def is_ours(side: str, remote_id: str) -> bool:
    return bool(redis().exists(f"ours:{side}:{remote_id}"))


def remember(side: str, remote_id: str) -> None:
    redis().set(f"ours:{side}:{remote_id}", 1, ex=GUARD_SECONDS)


def call_wix(method: str, path: str, **more: Any) -> Any:
    headers = {"Authorization": settings()["wix_token"]}
    url = f"{settings()['wix_url']}{path}"
    answer = requests.request(method, url, headers=headers, timeout=CALL_SECONDS, **more)
    answer.raise_for_status()
    return answer.json()


def call_reviews(method: str, path: str, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {settings()['reviews_token']}"}
    url = f"{settings()['reviews_url']}{path}"
    answer = requests.request(method, url, headers=headers, timeout=CALL_SECONDS, **more)
    answer.raise_for_status()
    return answer.json()


@app.task(name="tutorial.to_external")
def to_external(event: dict[str, Any]) -> None:
    """A new rating on Wix: who wrote it, has that person rated there, create."""
    if event["slug"] != "created" or is_ours("wix", event["entityId"]):
        return
    rating = event["createdEvent"]["entity"]
    contact = call_wix("GET", f"/contacts/v4/contacts/{rating['owner']['contactId']}")
    email = contact["contact"]["primaryInfo"]["email"]
    product = settings()["products"][rating["entityId"]]
    where = {"subject": product, "email": email}
    if call_reviews("GET", "/v1/ratings", params=where)["data"]:
        return
    record = {"subject": {"id": product}, "author": {"email": email}, "score": rating["value"] / 20}
    remember("external", call_reviews("POST", "/v1/ratings", json=record)["id"])


@app.task(name="tutorial.to_wix")
def to_wix(event_type: str, record: dict[str, Any]) -> None:
    """A new rating outside: find the contact, look for a rating of it, create."""
    if event_type != "rating.created" or is_ours("external", record["id"]):
        return
    query: Any = {"query": {"filter": {"info.emails.email": {"$in": [record["author"]["email"]]}}}}
    found = call_wix("POST", "/contacts/v4/contacts/query", json=query)["contacts"]
    contact_id = found[0]["id"]
    of_wix = {external: wix for wix, external in settings()["products"].items()}
    entity = of_wix[record["subject"]["id"]]
    where = {"group": GROUP, "entityId": entity, "owner.contactId": {"$eq": contact_id}}
    query = {"query": {"filter": where}}
    if call_wix("POST", "/ratings/v1/ratings/query", json=query)["ratings"]:
        return
    rating = {
        "value": int(float(record["score"]) * 20),
        "namespace": NAMESPACE,
        "group": GROUP,
        "entityId": entity,
        "attributeName": "overall",
        "owner": {"contactId": contact_id},
    }
    made = call_wix("POST", "/ratings/v1/ratings", json={"rating": rating})
    remember("wix", made["rating"]["id"])


if __name__ == "__main__":
    sys.exit(run(flask_app))
