"""A captured webhook of a system: how it is signed, what it is about. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync_worker.core import exact_json
from sync_worker.manifest.drafting.samples import WRAPPERS, leaves
from sync_worker.manifest.drafting.scrubbed import SECRET, scrubbed
from sync_worker.manifest.signatures import Received

EXAMPLE_SECRET = "example-secret-0123456789abcdefgh"  # noqa: S105 - signs samples only
SIGNED = re.compile(r"signature|hmac", re.IGNORECASE)
NO_SIGNATURE = re.compile(r"algorithm|version|timestamp|input", re.IGNORECASE)
SENT_SECRET = re.compile(r"secret|token|api-?key", re.IGNORECASE)
# From the first letter of a name only: else each letter of a long one is a name to try.
PAIR = re.compile(r"(?<!\w)(\w++)=([^,]+)")
EVENT_HEADER = re.compile(r"(event|topic)(-?(name|type))?$", re.IGNORECASE)
EVENT_NAMES = ("event", "type", "event_type", "eventtype", "event_name", "topic", "action", "scope")
WORDS = {"delete": "delete", "remove": "delete", "trash": "delete"}
DIGESTS = {20: "sha1", 32: "sha256", 64: "sha512"}
IGNORED_HEADERS = {"cookie", "content-type", "content-length", "host", "accept", "user-agent"}


@dataclass(frozen=True, slots=True)
class Told:
    """What a captured delivery shows. ``headers``: of the sample, signed by the example secret.

    ``verify``, ``event``, ``key``: ``None`` where it was not found. ``items``: where a list of bare
    ``keys`` is.
    """

    verify: dict[str, Any] | None
    event: dict[str, Any] | None
    event_name: str
    key: str | None
    remote_id: str
    headers: Mapping[str, str]
    body: str
    items: str | None = None
    keys: Sequence[str] = ()

    @property
    def change(self) -> str:
        """What its event is likely to mean."""
        name = self.event_name.lower()
        return next((change for word, change in WORDS.items() if word in name), "upsert")


def told_by(request: Received, setting: str, record_id: Any) -> Told:
    """What a delivery tells.

    ``setting``: the name of the setting with its secret; ``record_id``: of the sample record, if it
    is about the same. Raises ValueError where its body is no JSON.
    """
    try:
        document = exact_json.loads(request.body)
    except ValueError:
        raise ValueError("the body of the captured webhook is no JSON") from None
    found = dict(leaves(document)) if isinstance(document, Mapping) else {}
    verify = _verify(request, setting)
    body = json.dumps(scrubbed(document), ensure_ascii=False)
    event, name = _event(request, found)
    items, key = _items(document), _key(found, record_id)
    if items is not None:
        key = "@"
        found = {**found, "@": document[items][0]}
        if event is not None and "path" in event:
            event["at"] = "request"
    return Told(
        verify,
        event,
        name,
        key,
        str(found.get(key or "", "")),
        _signed_again(request, body.encode(), verify),
        body,
        items,
        [str(key) for key in document[items]] if items is not None else (),
    )


def _verify(request: Received, setting: str) -> dict[str, Any] | None:
    """How it is signed, by its headers: signatures first, then secrets, then the address."""
    secret = {"env": setting}
    for prefix in ("webhook-", "svix-"):
        if f"{prefix}signature" in request.headers:
            return {"type": "standard_webhooks", "secret": secret, "header_prefix": prefix}
    for name, value in request.headers.items():
        if SIGNED.search(name) and not NO_SIGNATURE.search(name):
            return _hmac(name, value, secret)
    for name in request.headers:
        if SENT_SECRET.search(name) and name not in IGNORED_HEADERS:
            return {"type": "static_header", "header": name, "secret": secret}
    if request.headers.get("authorization", "").lower().startswith("basic "):
        return {"type": "basic", "username": {"env": f"{setting}_USER"}, "password": secret}
    if "authorization" in request.headers:
        return {"type": "static_header", "header": "authorization", "secret": secret}
    for name in request.query:
        if SENT_SECRET.search(name):
            return {"type": "url_token", "name": name, "secret": secret}
    return None


def _hmac(header: str, value: str, secret: Mapping[str, Any]) -> dict[str, Any]:
    verify: dict[str, Any] = {"type": "hmac", "header": header, "secret": secret}
    pairs = dict(PAIR.findall(value)) if "," in value else {}
    signature = next((name for name in pairs if name != "t"), "")
    if "t" in pairs and signature:
        verify["pairs"] = {"signature": signature, "timestamp": "t"}
        verify["signed"] = [{"header": "*timestamp"}, {"text": "."}, {"body": True}]
        value = pairs[signature]
    elif match := re.match(r"sha\d+=", value):
        verify["prefix"] = match[0]
        value = value.removeprefix(match[0])
    size, encoding = _size_of(value)
    if encoding != "hex":
        verify["encoding"] = encoding
    if DIGESTS.get(size, "sha256") != "sha256":
        verify["algorithm"] = DIGESTS[size]
    return verify


def _size_of(signature: str) -> tuple[int, str]:
    """How many bytes a signature has, and how they are written."""
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", signature):
        return len(signature) // 2, "hex"
    try:
        return len(base64.b64decode(signature, validate=True)), "base64"
    except (binascii.Error, ValueError):
        return 0, "hex"


def _event(request: Received, found: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
    for name in EVENT_NAMES:
        for path, value in found.items():
            if path.lower() == name and isinstance(value, str) and value:
                return {"path": path}, value
    for name, value in request.headers.items():
        if EVENT_HEADER.search(name) and value:
            return {"header": name}, value
    return None, ""


def _key(found: Mapping[str, Any], record_id: Any) -> str | None:
    """Where the record's id is: where it stands, else where an id of a wrapped record is."""
    if record_id is not None:
        for path, value in found.items():
            if str(value) == str(record_id) and not isinstance(value, bool):
                return path
    wanted = [
        f"{name}.{key}" for name in (*WRAPPERS, "entry", "payload") for key in ("documentid", "id")
    ]
    wanted += ["review_id", "reviewid", "rating_id", "id", "key"]
    by_name = {path.lower(): path for path in found}
    return next((by_name[name] for name in wanted if name in by_name), None)


def _items(document: Any) -> str | None:
    """Where a list of bare keys is, as Directus sends it: ``{"keys": [1, 2]}``."""
    for name in ("keys", "ids"):
        found = document.get(name) if isinstance(document, Mapping) else None
        if isinstance(found, list) and found and all(_is_key(key) for key in found):
            return name
    return None


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _signed_again(request: Received, body: bytes, verify: dict[str, Any] | None) -> dict[str, str]:
    """The headers that the sample needs, with a signature of the example secret.

    Empty where the form cannot be signed here: then the sample says that it is rejected.
    """
    if verify is None:
        return {}
    kept = {
        name: value
        for name, value in request.headers.items()
        if (EVENT_HEADER.search(name) and not SECRET.search(name)) or name == "content-type"
    }
    if verify["type"] == "static_header":
        return {**kept, verify["header"]: EXAMPLE_SECRET}
    if verify["type"] != "hmac" or "pairs" in verify:
        return {}
    digest = getattr(hashlib, verify.get("algorithm", "sha256"))
    signature = hmac.new(EXAMPLE_SECRET.encode(), body, digest).digest()
    is_hex = verify.get("encoding", "hex") == "hex"
    text = signature.hex() if is_hex else base64.b64encode(signature).decode()
    return {**kept, verify["header"]: verify.get("prefix", "") + text}
