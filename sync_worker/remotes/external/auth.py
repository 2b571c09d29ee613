"""How calls to an external system prove who we are, by the manifest's ``auth``."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from pydantic import SecretStr

from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.http import (
    BasicAuth,
    BearerAuth,
    ClientCredentialsAuth,
    HeaderAuth,
    HmacRequestAuth,
    QueryAuth,
)
from sync_worker.remotes.http.authorization import Authorization, FixedHeaders, Signer
from sync_worker.remotes.http.budget import AccountSlots, NoBudget
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions
from sync_worker.remotes.http.tokens import TokenAuthorization, Tokens


@dataclass(frozen=True, slots=True)
class Proof:
    """Headers that go with each call, and what is done to a finished request."""

    authorization: Authorization
    sign: Signer | None = None


def proof_of(manifest: Manifest, tokens: Tokens, slots: AccountSlots | None = None) -> Proof:
    """What a manifest's ``auth`` asks for. ``tokens``: the fleet's cache, for those that expire.

    ``slots``: for the calls that get them.
    """
    match manifest.auth:
        case BearerAuth(token=token):
            return Proof(FixedHeaders({"Authorization": f"Bearer {token.get_secret_value()}"}))
        case BasicAuth(username=username, password=password):
            return Proof(FixedHeaders(_basic(username, password)))
        case HeaderAuth(headers=headers):
            return Proof(FixedHeaders(_plain(headers)))
        case QueryAuth(params=params):
            return Proof(FixedHeaders({}), _in_query(_plain(params)))
        case HmacRequestAuth() as auth:
            return Proof(FixedHeaders(_key_id(auth)), _signing(auth))
        case ClientCredentialsAuth() as auth:
            return Proof(_client_credentials(manifest, auth, tokens, slots))
        case _:
            return Proof(FixedHeaders({}))


def _plain(secrets: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in secrets.items()}


def _basic(username: SecretStr, password: SecretStr) -> dict[str, str]:
    pair = f"{username.get_secret_value()}:{password.get_secret_value()}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


# -- in the address


def _in_query(params: Mapping[str, str]) -> Signer:
    def sign(request: requests.PreparedRequest) -> None:
        request.url = _with_params(request.url or "", params)

    return sign


def _with_params(url: str, params: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    # A next link may repeat our parameters: ours take their place.
    others = _others(parts.query, params)
    return urlunsplit(parts._replace(query=urlencode([*others, *params.items()])))


def _others(query: str, names: Collection[str]) -> list[tuple[str, str]]:
    """Parameters of a query but for those of these names."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return [(name, value) for name, value in pairs if name not in names]


def without_credentials(manifest: Manifest, url: str) -> str:
    """A next link as it may be kept in a database.

    A system may repeat our credentials in it.
    """
    if not isinstance(manifest.auth, QueryAuth):
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode(_others(parts.query, manifest.auth.params))))


# -- signed requests


def _key_id(auth: HmacRequestAuth) -> dict[str, str]:
    if auth.key_id is None or auth.key_id_header is None:
        return {}
    return {auth.key_id_header: auth.key_id.get_secret_value()}


def _signing(auth: HmacRequestAuth) -> Signer:
    return lambda request: _sign(auth, request, time.time)


def _sign(
    auth: HmacRequestAuth, request: requests.PreparedRequest, clock: Callable[[], float]
) -> None:
    parts, stamp = urlsplit(request.url or ""), str(int(clock()))
    body = request.body or b""
    known = {
        "method": (request.method or "").encode(),
        "path": parts.path.encode(),
        "query": parts.query.encode(),
        "body": body.encode() if isinstance(body, str) else body,
        "timestamp": stamp.encode(),
        "newline": b"\n",
    }
    text = b"".join(known[part] for part in auth.signed)
    digest = hmac.new(auth.secret.get_secret_value().encode(), text, auth.algorithm).digest()
    request.headers[auth.header] = auth.prefix + _as_text(digest, auth.encoding)
    if auth.timestamp_header is not None:
        request.headers[auth.timestamp_header] = stamp


def _as_text(digest: bytes, encoding: str) -> str:
    match encoding:
        case "hex":
            return digest.hex()
        case "base64":
            return base64.b64encode(digest).decode()
        case _:
            return base64.urlsafe_b64encode(digest).decode().rstrip("=")


# -- OAuth 2.0


def _client_credentials(
    manifest: Manifest,
    auth: ClientCredentialsAuth,
    tokens: Tokens,
    slots: AccountSlots | None,
) -> TokenAuthorization:
    url = urlsplit(auth.token_url)
    form = {"grant_type": "client_credentials", **auth.params}
    if auth.scope:
        form["scope"] = auth.scope
    if auth.client_auth == "body":
        form |= {
            "client_id": auth.client_id.get_secret_value(),
            "client_secret": auth.client_secret.get_secret_value(),
        }
    headers = _basic(auth.client_id, auth.client_secret) if auth.client_auth == "basic" else {}
    http = RemoteHttp(
        f"{url.scheme}://{url.netloc}",
        remote=manifest.id,
        authorization=FixedHeaders(headers),
        budget=NoBudget(),
        options=HttpOptions(allow_private_hosts=manifest.allow_private_hosts),
        slots=slots,
    )
    call = Call("POST", url.path, "create_token", form=form)
    name = f"external:{manifest.source}:{account_mark(manifest)}"
    return TokenAuthorization(lambda: http.call(call).body, tokens, name)


def account_mark(manifest: Manifest) -> str:
    """A short digest of where a manifest leads, and as whom.

    What is kept of one external account must not be found by another, nor by the same connector or
    account once its settings have changed.
    """
    auth = {name: _revealed(value) for name, value in manifest.auth}
    whose = [manifest.base_url, sorted(manifest.conn.items()), sorted(auth.items())]
    return hashlib.sha256(repr(whose).encode()).hexdigest()[:16]


def _revealed(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {name: _revealed(part) for name, part in sorted(value.items())}
    return value
