"""A captured webhook that was refused: which known way of signing fits it.

Pure; secrets go in, never out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import itertools
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
from pydantic import BaseModel, SecretStr

from sync_worker.core import exact_json
from sync_worker.core.errors import Misconfigured
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.verify import JwtVerify, StandardWebhooksVerify, Verify
from sync_worker.manifest.signatures import MAX_HEADER, Received, verified

ALGORITHMS = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}
CHANGED = "the body "  # begins the name of each signed text that is not quite the body of the file
MAX_STAMP = 2**53  # of an `exp`; larger ones name no time
STAMP = re.compile(r"(?<![0-9A-Za-z])(\d{13}|\d{10})(?![0-9A-Za-z])")
REQUEST_LINE = re.compile(r"^(?:[A-Z]+ )?(\S*)(?: HTTP/[\d.]+)?$")


def captured(content: bytes) -> Received:
    """A request from a file. Raises Misconfigured.

    Either raw HTTP (request line, headers, an empty line, the body to the last byte), or a JSON
    object with ``headers``, ``body`` (the text) or ``body_base64``, and ``query`` (an object) or
    ``url``.
    """
    if content.lstrip()[:1] == b"{":
        return _from_json(content)
    empty_line = b"\r\n\r\n" if b"\r\n\r\n" in content else b"\n\n"
    head, separator, body = content.partition(empty_line)
    first, *lines = head.decode("latin-1").splitlines() or [""]
    target = REQUEST_LINE.match(first)
    headers = [line.partition(":") for line in lines if ":" in line]
    if not separator or target is None or not headers:
        raise Misconfigured(
            "the file is no captured request: raw HTTP (request line, headers, empty line, body),"
            " or JSON with headers, body and query"
        )
    query = dict(parse_qsl(urlsplit(target.group(1)).query, keep_blank_values=True))
    return Received(
        body, {name.strip().lower(): value.strip() for name, _, value in headers}, query
    )


def _from_json(content: bytes) -> Received:
    try:
        document = exact_json.loads(content)
        headers = {
            str(name).lower(): str(value) for name, value in dict(document["headers"]).items()
        }
        body = (
            base64.b64decode(document["body_base64"])
            if "body_base64" in document
            else document["body"].encode()
        )
        query = dict(document.get("query") or parse_qsl(urlsplit(document.get("url", "")).query))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Misconfigured(
            "the file is JSON, but not an object with headers, body (a text) and query"
        ) from None
    return Received(body, headers, {str(name): str(value) for name, value in query.items()})


def at_its_time(request: Received, now: float) -> Received:
    """The request as when it came, as far as it tells.

    How old a captured one is does not matter.
    """
    found = [int(stamp) for value in request.headers.values() for stamp in STAMP.findall(value)]
    for value in (*request.query.values(), *request.headers.values()):
        exp = _unverified(value).get("exp")
        if isinstance(exp, int | float) and abs(exp) < MAX_STAMP:
            found.append(int(exp) - 1)
    past = [second for second in map(_in_seconds, found) if 10**9 <= second <= now]
    return Received(request.body, request.headers, request.query, max(past, default=now))


def _in_seconds(stamp: int) -> float:
    """A time stamp of either unit: one of milliseconds is a thousand times larger."""
    return stamp / 1000 if stamp > 10**12 else float(stamp)


def is_verified(manifest: Manifest, request: Received) -> bool:
    webhook = manifest.webhook
    return webhook is not None and any(
        verified(scheme, request) is not None for scheme in webhook.verify
    )


def diagnose(manifest: Manifest, request: Received) -> list[str]:
    """In words: what fits the delivery, or why nothing does."""
    secrets = dict(_secrets(manifest, ""))
    fits = [
        *_hmac_fits(request, secrets),
        *_plain_fits(request, secrets),
        *_jwt_fits(request, secrets),
    ]
    if fits:
        advised = [f"it fits as {fit}; {_advice(fit, manifest)}" for fit in dict.fromkeys(fits)]
        return advised[:5]
    return [
        *_missing(manifest, request),
        (
            "no known way of signing fits with any secret of the manifest: the secret is another"
            " one, or something between the sender and the file changed the body (a proxy, an"
            f" editor, a new line at its end); check {_where_secrets_are(manifest)}"
        ),
    ]


def _where_secrets_are(manifest: Manifest) -> str:
    schemes = manifest.webhook.verify if manifest.webhook else ()
    names = {"jwt": "key", "basic": "password"}
    places = [
        f"webhook.verify.{number}.{names.get(scheme.type, 'secret')}"
        for number, scheme in enumerate(schemes)
    ]
    return " and ".join(places) or "webhook.verify"


def _differences(fit: str, manifest: Manifest) -> str:
    """What the manifest says otherwise than a way of signing that fits."""
    found = []
    for number, scheme in enumerate(manifest.webhook.verify if manifest.webhook else ()):
        for key in ("header", "algorithm", "encoding", "name", "source"):
            value = getattr(scheme, key, None)
            if isinstance(value, str) and f"{key} {value}".lower() not in fit.lower():
                found.append(f"webhook.verify.{number}.{key} is {value}")
    return f" ({', '.join(found)})" if found else ""


def _advice(fit: str, manifest: Manifest) -> str:
    if f"signed {CHANGED}" in fit:
        return (
            "something changed its end on the way into the file: capture the body to the last byte"
        )
    return f"change the manifest so{_differences(fit, manifest)}, or set the right secret"


def _secrets(part: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every secret of a manifest, with the place where it is named."""
    if isinstance(part, SecretStr):
        yield place, part.get_secret_value()
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from _secrets(getattr(part, name), f"{place}.{name}".lstrip("."))
    elif isinstance(part, Mapping):
        for name, value in part.items():
            yield from _secrets(value, f"{place}.{name}")
    elif isinstance(part, tuple):
        for number, value in enumerate(part):
            yield from _secrets(value, f"{place}.{number}")


def _hmac_fits(request: Received, secrets: Mapping[str, str]) -> Iterator[str]:
    keys = [(place, form, key) for place, secret in secrets.items() for form, key in _keys(secret)]
    texts = list(_texts(request))
    for (header, encoding, digest), (signed, text), (place, form, key) in itertools.product(
        list(_digests(request)), texts, keys
    ):
        algorithm = ALGORITHMS[len(digest)]
        if hmac.compare_digest(hmac.new(key, text, algorithm).digest(), digest):
            way = f"header {header}, algorithm {algorithm}, encoding {encoding}, signed {signed}"
            yield f"HMAC: {way}, with {place}{form}"


def _digests(request: Received) -> Iterator[tuple[str, str, bytes]]:
    """Everything in the headers that may be a signature."""
    for name, value in request.headers.items():
        if len(value) > MAX_HEADER:
            continue
        for token in {value, *re.split(r"[\s,;]+|(?<=[a-z0-9])=(?=[^=])", value)} - {""}:
            yield from (
                (name, encoding, digest)
                for encoding, digest in _decoded(token)
                if len(digest) in ALGORITHMS
            )


def _decoded(token: str) -> Iterator[tuple[str, bytes]]:
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", token):
        yield "hex", bytes.fromhex(token)
    try:
        yield "base64", base64.b64decode(token, validate=True)
    except (ValueError, binascii.Error):
        if re.fullmatch(r"[\w-]+=*", token, re.ASCII):
            padded = token.rstrip("=") + "=" * (-len(token.rstrip("=")) % 4)
            try:
                yield "base64url", base64.urlsafe_b64decode(padded)
            except (ValueError, binascii.Error):
                return


def _texts(request: Received) -> Iterator[tuple[str, bytes]]:
    body = request.body
    yield "the raw body", body
    if body.rstrip() != body:
        yield f"{CHANGED}without the white space at its end", body.rstrip()
    yield f"{CHANGED}with a line break at its end", body + b"\n"
    yield f"{CHANGED}with a line break (CRLF) at its end", body + b"\r\n"
    stamps = {stamp for value in request.headers.values() for stamp in STAMP.findall(value)}
    for stamp, separator in itertools.product(sorted(stamps), (".", "", ":", "\n")):
        yield f"timestamp {separator!r} body", (stamp + separator).encode() + body
        for prefix in ("webhook-", "svix-"):
            if message_id := request.headers.get(f"{prefix}id"):
                yield (
                    f"Standard Webhooks ({prefix}), id.timestamp.body",
                    f"{message_id}.{stamp}.".encode() + body,
                )


def _keys(secret: str) -> Iterator[tuple[str, bytes]]:
    """What a secret may stand for."""
    yield "", secret.encode()
    plain = secret.strip()
    changed = {
        ", without the blanks around it": plain,
        ", without its prefix": plain.partition("_")[2],
        ", HTML-decoded": html.unescape(plain),
        ", HTML-encoded": html.escape(plain),
    }
    yield from ((form, text.encode()) for form, text in changed.items() if text and text != secret)
    for form, decode in ((", read as base64", base64.b64decode), (", read as hex", bytes.fromhex)):
        for text in dict.fromkeys((plain, plain.removeprefix("whsec_"))):
            try:
                key = decode(text)
            except (ValueError, binascii.Error):
                continue
            if key:
                yield form, key
    yield ", its base64", base64.b64encode(plain.encode())
    yield ", its SHA-256", hashlib.sha256(plain.encode()).digest()


def _plain_fits(request: Received, secrets: Mapping[str, str]) -> Iterator[str]:
    for place, secret in secrets.items():
        for name, value in request.headers.items():
            if secret and value in (secret, f"Bearer {secret}"):
                yield f"static_header: header {name}, with {place}"
        for name, value in request.query.items():
            if secret and value == secret:
                yield f"url_token: name {name}, with {place}"


def _jwt_fits(request: Received, secrets: Mapping[str, str]) -> Iterator[str]:
    places = [("query", name, value) for name, value in request.query.items()]
    places += [
        ("header", name, value.removeprefix("Bearer ")) for name, value in request.headers.items()
    ]
    for source, name, token in places:
        if not _unverified(token):
            continue
        algorithm = str(jwt.get_unverified_header(token).get("alg"))
        if algorithm not in ("HS256", "HS384", "HS512"):
            continue
        for place, secret in secrets.items():
            if _has_signed(secret, token, algorithm):
                yield f"jwt: source {source}, name {name}, algorithms [{algorithm}], key {place}"


def _has_signed(secret: str, token: str, algorithm: str) -> bool:
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_aud": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # PyJWT warns of short keys; the system chose it, not we
            jwt.decode(token, secret, algorithms=[algorithm], options=options)
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    return True


def _unverified(token: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token.removeprefix("Bearer "), options={"verify_signature": False}
        )
    except (jwt.PyJWTError, ValueError, TypeError):
        return {}
    return claims


def _missing(manifest: Manifest, request: Received) -> list[str]:
    """What the manifest waits for and the delivery has not; nothing if one way in is whole."""
    schemes = manifest.webhook.verify if manifest.webhook else ()
    ways = [list(_missing_of(scheme, request)) for scheme in schemes]
    if [] in ways:
        return []
    return [missing for way in ways for missing in way]


def _missing_of(scheme: Verify, request: Received) -> Iterator[str]:
    if isinstance(scheme, JwtVerify):
        place = request.query if scheme.source == "query" else request.headers
        if scheme.name not in place and scheme.name.lower() not in place:
            yield (
                f"the delivery has no {scheme.source} {scheme.name}, where the manifest looks for"
                " a JWT"
            )
        return
    names = [getattr(scheme, "header", None)]
    if isinstance(scheme, StandardWebhooksVerify):
        names = [scheme.header_prefix + part for part in ("id", "timestamp", "signature")]
    for name in names:
        if name is not None and name.lower() not in request.headers:
            seen = ", ".join(sorted(request.headers))
            yield f"the delivery has no header {name}, which the manifest names; it has: {seen}"
