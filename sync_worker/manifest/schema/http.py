"""How calls are made: credentials, pace, patience."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from sync_worker.manifest.schema.base import HeaderName, Secret, Strict

Digest = Literal["sha1", "sha256", "sha384", "sha512"]
BinaryText = Literal["hex", "base64", "base64url"]


class NoAuth(Strict):
    """Calls carry no credentials."""

    type: Literal["none"] = "none"


class BearerAuth(Strict):
    """``Authorization: Bearer TOKEN``."""

    type: Literal["bearer"]
    token: Secret


class BasicAuth(Strict):
    """``Authorization: Basic``, over HTTPS only."""

    type: Literal["basic"]
    username: Secret
    password: Secret


class HeaderAuth(Strict):
    """Headers of the system's own, such as ``X-Api-Token``."""

    type: Literal["headers"]
    headers: Mapping[HeaderName, Secret] = Field(min_length=1)


class QueryAuth(Strict):
    """Credentials in the address.

    They end up in the access logs of the other side: prefer any other kind.
    """

    type: Literal["query"]
    params: Mapping[str, Secret] = Field(min_length=1)


class ClientCredentialsAuth(Strict):
    """OAuth 2.0 client credentials (RFC 6749, section 4.4); the token is shared by the fleet and
    renewed early.
    """

    type: Literal["oauth2_client_credentials"]
    token_url: str = Field(pattern=r"^https?://[^/?#@]+/[^?#]*$")
    client_id: Secret
    client_secret: Secret
    scope: str | None = None
    """Scopes, separated by blanks."""
    params: Mapping[str, str] = {}
    """Further form fields, such as ``audience``."""
    client_auth: Literal["body", "basic"] = "body"
    """How the client proves itself to the token endpoint."""


class HmacRequestAuth(Strict):
    """Each request is signed: HMAC over its parts, in order."""

    type: Literal["hmac_request"]
    header: HeaderName
    secret: Secret
    algorithm: Digest = "sha256"
    encoding: BinaryText = "hex"
    prefix: str = ""
    signed: tuple[Literal["method", "path", "query", "body", "timestamp", "newline"], ...] = (
        "body",
    )
    """``path`` is the percent-encoded path, ``query`` the query as sent; ``newline`` separates
    parts.
    """
    timestamp_header: HeaderName | None = None
    key_id_header: HeaderName | None = None
    key_id: Secret | None = None


Auth = Annotated[
    NoAuth
    | BearerAuth
    | BasicAuth
    | HeaderAuth
    | QueryAuth
    | ClientCredentialsAuth
    | HmacRequestAuth,
    Field(discriminator="type"),
]


class RequestBudget(Strict):
    """The pace of all our processes together: ``requests`` in ``per_s`` seconds."""

    requests: Decimal = Field(gt=0, le=1_000_000, decimal_places=9)
    per_s: Decimal = Field(default=Decimal(1), gt=0, le=1_000_000, decimal_places=9)
    concurrency: int = Field(default=8, gt=0)
    """Calls of one process under way at the same time."""

    @property
    def per_minute(self) -> float:
        return float(self.requests / self.per_s * 60)


class Backoff(Strict):
    """When and how long to wait if the system asks for it."""

    statuses: tuple[int, ...] = (429,)
    """Answers that mean "too fast": the whole fleet pauses, and the try does not count as failed.
    """
    after_header: HeaderName = "Retry-After"
    after_unit: Literal["s", "ms", "epoch_s", "epoch_ms", "auto"] = "auto"
    """``auto``: seconds, an HTTP date, or an epoch, by the look of the number."""
    max_wait_s: float = Field(default=3600, gt=0, le=86_400)
    attempts: int = Field(default=3, ge=1, le=3)
    """Tries inside one call, of calls that are safe to repeat."""


class Http(Strict):
    """How calls are made."""

    budget: RequestBudget = RequestBudget(requests=Decimal(5))
    headers: Mapping[HeaderName, str] = {}
    """Fixed headers of every call."""
    backoff: Backoff = Backoff()
    timeout_s: float = Field(default=8.0, ge=1, le=8)
    """A call with all its tries ends after this; never more than 8, as the lease of a rating ends
    soon after.
    """
    redirects: Literal[False] = False
    """Redirects are never followed; the key is there to say so."""
    max_body_bytes: int = Field(default=2 * 1024 * 1024, gt=0, le=64 * 1024 * 1024)
