"""What the system sends us: how it is verified, what it says, and how its hooks are kept alive."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from sync_worker.manifest.schema.base import Path, Secret, Strict, one_of
from sync_worker.manifest.schema.calls import OperationSpec
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
        return (text for one in both if one is not None and (text := one.get_secret_value()))


class SignedPart(Strict):
    """One part of the signed text: the body, a header (``*timestamp``: the signature's own), a body
    path, or a text.
    """

    body: Literal[True] | None = None
    header: str | None = None
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

    header: str
    unit: Literal["s", "ms"] = "s"


class HmacVerify(Secrets):
    """HMAC over chosen parts. Only a signature over the body lets a payload be trusted."""

    type: Literal["hmac"]
    header: str
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
        return (text for one in both if one is not None and (text := one.get_secret_value()))

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
    header: str

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
        return iter([f"{self.username.get_secret_value()}:{password}"] if password else [])


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


class Handshake(Strict):
    """A request that only tests whether we answer, unsigned: 200, and nothing happens."""

    empty_body: Literal[True] | None = None
    content_type: str | None = None
    body_regex: str | None = None
    """Fits the whole body."""

    @model_validator(mode="after")
    def _is_narrow(self) -> Handshake:
        one_of(self, "empty_body", "body_regex")
        try:
            re.compile(self.body_regex or "")
        except re.error as error:
            raise ValueError(
                f"body_regex: {self.body_regex!r} is no regular expression: {error}"
            ) from None
        return self


class DeliveryIdPart(Strict):
    """Part of the sender's id of a delivery."""

    path: Path | None = None
    header: str | None = None
    body_sha256: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_part(self) -> DeliveryIdPart:
        one_of(self, "path", "header", "body_sha256")
        return self


class EventName(Strict):
    """Where the name of an event is."""

    path: Path | None = None
    header: str | None = None
    query: str | None = None
    claim: str | None = None
    """A claim of the JWT that verified the delivery."""
    const: str | None = None
    default: str | None = None
    """The name of an event that has none there."""

    @model_validator(mode="after")
    def _is_one_place(self) -> EventName:
        one_of(self, "path", "header", "query", "claim", "const")
        return self


class EventRule(Strict):
    """What an event means for us."""

    match: str
    change: Literal["upsert", "delete", "parent_changed", "create_failed", "ignore"]
    when: Path | None = None
    """Only if this is true in the payload; otherwise the event is ignored."""
    key: Mapping[str, Path] | None = None
    """Where this event has its key, if not where ``webhook.key`` says."""


class HookList(OperationSpec):
    """Lists our hooks at the system; the paths are inside one of the items."""

    id: Path
    url: Path
    topic: Path
    enabled: Path
    """True while the hook works, such as ``status == 'active'``."""


class Manage(Strict):
    """How hooks are made, listed and brought back.

    Trees may use ``hook.url``, ``.topic``, ``.id`` and ``.secret``.
    """

    topics: tuple[str, ...] = Field(min_length=1)
    list: HookList
    register_: OperationSpec = Field(alias="register")
    enable: OperationSpec | None = None


class Webhook(Strict):
    """What the system sends. A webhook is a hint; only a signed whole record is more."""

    verify: tuple[Verify, ...] = Field(min_length=1)
    """Any one of them may pass."""
    handshake: tuple[Handshake, ...] = ()
    ack_status: int = Field(default=200, ge=200, le=299)
    ack_body: Mapping[str, Any] | None = None
    """For senders that want certain words back."""
    delivery_id: tuple[DeliveryIdPart, ...] = ()
    items_path: Path | None = None
    """A batch: every item is a delivery, and all other paths are inside an item."""
    event: EventName
    events: tuple[EventRule, ...] = Field(min_length=1)
    payload: Literal["full", "thin"] = "thin"
    key: Mapping[str, Path]
    record_path: Path | None = None
    sequence: Path | None = None
    dedup: Literal["drop_repeat", "coalesce"] | None = None
    """By default ``drop_repeat`` for whole records with a delivery id, else ``coalesce``."""
    refetch: Literal["always", "full_payload_ok"] = "always"
    manage: Manage | None = None

    @property
    def trusts_payload(self) -> bool:
        return self.payload == "full" and self.refetch == "full_payload_ok"

    @property
    def drops_repeats(self) -> bool:
        """Thin events of two edits look the same, so they are absorbed only while none of them is
        being processed.
        """
        if self.dedup is not None:
            return self.dedup == "drop_repeat"
        return self.payload == "full" and bool(self.delivery_id)

    @model_validator(mode="after")
    def _trust_is_earned(self) -> Webhook:
        if self.trusts_payload and not all(one.covers_body for one in self.verify):
            raise ValueError(
                "refetch: full_payload_ok trusts the payload, but a signature does not cover the"
                " body; sign the body, or write refetch: always"
            )
        if self.trusts_payload and self.record_path is None:
            raise ValueError("refetch: full_payload_ok needs record_path")
        if self.refetch == "full_payload_ok" and self.payload != "full":
            raise ValueError("refetch: full_payload_ok needs payload: full")
        if self.dedup == "drop_repeat" and not self.delivery_id:
            raise ValueError("dedup: drop_repeat needs delivery_id")
        if self.event.claim is not None and not any(
            isinstance(one, JwtVerify) for one in self.verify
        ):
            raise ValueError("event.claim needs a verify of type jwt")
        return self
