"""A small declared connector against a system that tests speak for."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from sync_worker.core.values import Draft, EntityRef, Person
from sync_worker.manifest.loader import parse_manifest, shipped_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.remote import ExternalRemote
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from tests.documents import document_of
from tests.integration.remote_server import RemoteServer

ADA = Person(contact_id="c-1", email="ada@example.com", name="Ada")
MUG = EntityRef("22")


BASE = """
version: 1
id: small
base_url: {env: URL}
allow_private_hosts: true
key: {id: {path: id}}
fields:
  entity: {path: product, required: true}
  email: {path: email, as: email}
  value: {path: stars, as: decimal}
  created_at: {path: made, as: datetime}
scale: {min: 1, max: 5}
operations:
  get: {method: GET, path: "/r/{key.id}", errors: [{status: [404], outcome: gone}]}
  list: {method: GET, path: /r, items_path: rows}
  find: {method: GET, path: /r, query: {email: {from: contact.email}}, items_path: rows}
  create: {method: POST, path: /r, body: {stars: {from: rating.value, as: int}}}
  update: {method: PUT, path: "/r/{key.id}", body: {stars: {from: rating.value, as: int}}}
  delete: {method: DELETE, path: "/r/{key.id}", errors: [{status: [404], outcome: gone}]}
"""


def a_manifest(
    server: RemoteServer, environ: dict[str, str] | None = None, **changes: Any
) -> Manifest:
    document = document_of(BASE)
    for place, value in changes.items():
        *path, last = place.split("__")
        part = document
        for name in path:
            part = part.setdefault(name, {})
        part[last] = value
    return parse_manifest(document, {"URL": server.url, **(environ or {})}, Path("small.yaml"))


def a_remote(manifest: Manifest) -> ExternalRemote:
    return ExternalRemote(manifest, http_of(manifest, NoBudget(), OwnTokens()))


def shipped(name: str, server: RemoteServer, **environ: str) -> ExternalRemote:
    document = document_of(shipped_manifest(name).read_text())
    document |= {"base_url": server.url, "allow_private_hosts": True}
    return a_remote(parse_manifest(document, environ, Path(f"{name}.yaml")))


def a_row(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {"id": number, "product": "22", "email": "ada@example.com", "stars": 4} | changes


def a_draft(**changes: Any) -> Draft:
    return Draft({"value": Decimal(4)}, MUG, ADA, mapped=frozenset({"value"}), **changes)


def review_key(product: int, review: int) -> str:
    return json.dumps({"id": str(review), "product_id": str(product)}, separators=(",", ":"))
