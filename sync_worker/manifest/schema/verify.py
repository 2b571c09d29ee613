"""How a webhook proves that the system sent it: the section ``verify`` of a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from sync_worker.manifest.schema.base import HeaderName, Path, Secret, Strict, header_name, one_of
from sync_worker.manifest.schema.http import BinaryText, Digest

HS, ASYMMETRIC = (
    frozenset({"HS256", "HS384", "HS512"}),
    frozenset({"RS256", "RS512", "PS256", "ES256", "EdDSA"}),
)


class Secrets(Strict):
    """A secret, and during a rotation the one before it."""

    secret: Secret
    previous_secret: Secret | None = None

    @property
    def secrets(self) -> Iterator[str]:
        """The secrets that count now; an empty one counts for nothing."""
        both: tuple[SecretStr | None, ...] = (self.secret, self.previous_secret)
        return _texts(both)


def _texts(secrets: Iterable[SecretStr | None]) -> Iterator[str]:
    for secret in secrets:
        if secret is not None and secret.get_secret_value():
            yield secret.get_secret_value()


class SignedPart(Strict):
    """One part of the signed text: the body, a header, a path in the body, or a text.

    The header ``*timestamp`` is the signature's own.
    """

    body: Literal[True] | None = None
    header: HeaderName | None = None
    path: Path | None = None
    text: str | None = None

    @model_validator(mode="after")
    def _is_one_part(self) -> SignedPart:
        one_of(self, "body", "header", "path", "text")
        return self


class HmacPairs(Strict):
    """Names inside a header like ``t=1700000000,v1=…``."""

    signature: str
    timestamp: str | None = None


class TimestampHeader(Strict):
    """A signature's time in a header of its own."""

    header: HeaderName
    unit: Literal["s", "ms"] = "s"


class HmacVerify(Secrets):
    """HMAC over chosen parts. Only a signature over the body lets a payload be trusted."""

    type: Literal["hmac"]
    header: HeaderName
    algorithm: Digest = "sha256"
    encoding: BinaryText = "hex"
    prefix: str = ""
    """Before the signature in the header, such as ``sha256=``."""
    pairs: HmacPairs | None = None
    timestamp: TimestampHeader | None = None
    signed: tuple[SignedPart, ...] = Field(default=(SignedPart(body=True),), min_length=1)
    tolerance_s: int = Field(default=300, gt=0)
    """How far the signature's time may be from ours, both ways."""
    secret_encoding: Literal["text", "hex", "base64"] = "text"  # noqa: S105 - no secret, a form of one

    @property
    def covers_body(self) -> bool:
        return any(part.body for part in self.signed)

    @property
    def has_timestamp(self) -> bool:
        return self.timestamp is not None or (
            self.pairs is not None and self.pairs.timestamp is not None
        )

    @model_validator(mode="after")
    def _timestamp_is_there(self) -> HmacVerify:
        wants = any(part.header == "*timestamp" for part in self.signed)
        if wants and not self.has_timestamp:
            raise ValueError(
                "signed uses '*timestamp', but pairs names no timestamp, nor is there a key"
                " timestamp"
            )
        return self


class StandardWebhooksVerify(Secrets):
    """https://github.com/standard-webhooks/standard-webhooks, symmetric signatures (``v1``); Svix
    is the same.
    """

    type: Literal["standard_webhooks"]
    header_prefix: Literal["webhook-", "svix-"] = "webhook-"
    secret_is: Literal["auto", "whsec", "raw_text"] = "auto"  # noqa: S105 - so is this
    """``whsec``: base64, with or without ``whsec_``. ``raw_text``: the text itself.

    ``auto``: by the prefix.
    """
    tolerance_s: int = Field(default=300, gt=0)

    @property
    def covers_body(self) -> bool:
        return True


class JwtVerify(Strict):
    """A JWT beside the body.

    It never covers the body: whoever sees one may send any body until it expires.
    """

    type: Literal["jwt"]
    source: Literal["header", "query"]
    name: str
    algorithms: tuple[str, ...] = Field(default=("HS256",), min_length=1)
    key: Secret
    previous_key: Secret | None = None
    require: tuple[str, ...] = ("exp",)
    claims_equal: Mapping[str, str] = {}
    """Claims that must be exactly this."""
    tolerance_s: int = Field(default=60, ge=0)

    @property
    def covers_body(self) -> bool:
        return False

    @property
    def secrets(self) -> Iterator[str]:
        both: tuple[SecretStr | None, ...] = (self.key, self.previous_key)
        return _texts(both)

    @model_validator(mode="after")
    def _is_somewhere(self) -> JwtVerify:
        if self.source == "header":
            header_name(self.name)
        return self

    @field_validator("algorithms")
    @classmethod
    def _is_one_family(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not (set(names) <= HS or set(names) <= ASYMMETRIC):
            raise ValueError(
                f"algorithms are all of {sorted(HS)} or all of {sorted(ASYMMETRIC)}, never mixed"
            )
        return names


class StaticHeaderVerify(Secrets):
    """A secret text in a header."""

    type: Literal["static_header"]
    header: HeaderName

    @property
    def covers_body(self) -> bool:
        return False


class BasicVerify(Strict):
    """``Authorization: Basic`` on the webhook."""

    type: Literal["basic"]
    username: Secret
    password: Secret

    @property
    def covers_body(self) -> bool:
        return False

    @property
    def secrets(self) -> Iterator[str]:
        password = self.password.get_secret_value()
        if password:
            yield f"{self.username.get_secret_value()}:{password}"


class UrlTokenVerify(Secrets):
    """A secret text in the webhook's address, for systems that sign nothing:
    ``…/webhooks/external/ID?token=…``.
    """

    type: Literal["url_token"]
    name: str = "token"

    @property
    def covers_body(self) -> bool:
        return False


Verify = Annotated[
    HmacVerify
    | StandardWebhooksVerify
    | JwtVerify
    | StaticHeaderVerify
    | BasicVerify
    | UrlTokenVerify,
    Field(discriminator="type"),
]
