"""The shape of a connector manifest: one YAML file for each external system, checked whole when it is loaded.

Unknown keys are refused, secrets come by reference only, and every path compiles at load. Sections and their meaning:
docs/connectors.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

import jmespath
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from sync_worker.model import RecordState
from sync_worker.ports import Capabilities
from sync_worker.scale import MappingKind, Scale

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
ValueKind = Literal["str", "int", "decimal", "bool", "datetime", "email", "html_text"]
ResultOf = Literal["ok", "gone", "duplicate", "conflict", "retry", "rate_limited", "reject", "auth"]


class Strict(BaseModel):
    """Refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CompiledPath(str):
    """A JMESPath expression (https://jmespath.org), compiled once."""

    _compiled: Any

    def __new__(cls, text: str) -> CompiledPath:
        path = super().__new__(cls, text)
        path._compiled = jmespath.compile(text)
        return path

    def search(self, document: Any) -> Any:
        return self._compiled.search(document)


def _compiled(value: Any) -> CompiledPath:
    if not isinstance(value, str):
        raise ValueError("a path is a text")
    try:
        return CompiledPath(value)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"{value!r} is no JMESPath: {str(error).splitlines()[0]}") from None


Path = Annotated[Any, BeforeValidator(_compiled)]


def _secret(value: Any) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    raise ValueError("a secret comes by reference: {env: NAME} or {file: PATH}, never written out")


Secret = Annotated[SecretStr, BeforeValidator(_secret)]


class NoAuth(Strict):
    type: Literal["none"] = "none"


class BearerAuth(Strict):
    type: Literal["bearer"]
    token: Secret


class BasicAuth(Strict):
    type: Literal["basic"]
    username: Secret
    password: Secret


class HeaderAuth(Strict):
    type: Literal["headers"]
    headers: Mapping[str, Secret]


Auth = Annotated[NoAuth | BearerAuth | BasicAuth | HeaderAuth, Field(discriminator="type")]


class RequestBudget(Strict):
    """``requests`` in ``per_s`` seconds; ``concurrency``: connections of one process."""

    requests: Decimal = Field(gt=0)
    per_s: Decimal = Field(default=Decimal(1), gt=0)
    concurrency: int = Field(default=8, gt=0)

    @property
    def per_minute(self) -> float:
        return float(self.requests / self.per_s * 60)


class Http(Strict):
    budget: RequestBudget = RequestBudget(requests=Decimal(5))
    headers: Mapping[str, str] = {}
    max_body_bytes: int = Field(default=2 * 1024 * 1024, gt=0)


class KeyPart(Strict):
    path: Path
    as_: Literal["str", "int"] = Field(default="str", alias="as")
    required: bool = True


class FieldPath(Strict):
    path: Path
    as_: ValueKind = Field(default="str", alias="as")
    required: bool = False


class Fields(Strict):
    """Where a record keeps what we read. ``value`` is the main value."""

    entity: FieldPath
    value: FieldPath
    entity_group: FieldPath | None = None
    email: FieldPath | None = None
    author: FieldPath | None = None
    title: FieldPath | None = None
    body: FieldPath | None = None
    state: FieldPath | None = None
    created_at: FieldPath | None = None
    updated_at: FieldPath | None = None
    revision: FieldPath | None = None


class AttributesList(Strict):
    """Sub-ratings as a list: ``items`` is its path, ``name`` and ``value`` are paths inside an item."""

    items: Path
    name: Path
    value: Path


class ScaleSection(Strict):
    min: Decimal
    max: Decimal
    step: Decimal = Decimal(1)
    unrated: tuple[Decimal, ...] = ()
    mapping: MappingKind = "proportional"

    @property
    def scale(self) -> Scale:
        return Scale(self.min, self.max, self.step)

    @model_validator(mode="after")
    def _is_possible(self) -> ScaleSection:
        _ = self.scale
        return self


class States(Strict):
    """Moderation states both ways; an unknown state reads as pending."""

    read: Mapping[str, RecordState] = {}
    write: Mapping[RecordState, str] = {}
    sync: tuple[Literal["published"], ...] = ("published",)


class ErrorRule(Strict):
    status: tuple[int, ...]
    path: Path | None = None
    equals: str | None = None
    outcome: ResultOf


class Pagination(Strict):
    """``cursor``: ``next_path`` in the answer goes into query ``param``; ends when it is null or repeats."""

    kind: Literal["none", "cursor"] = "none"
    param: str = "cursor"
    next_path: Path | None = None
    size_param: str | None = None
    size: int = 100
    max_pages: int = Field(default=10_000, gt=0)

    @model_validator(mode="after")
    def _knows_the_next_page(self) -> Pagination:
        if self.kind == "cursor" and self.next_path is None:
            raise ValueError("pagination by cursor needs next_path")
        return self


class OperationSpec(Strict):
    """One call; ``query``, ``headers`` and ``body`` are typed trees with leaves ``{from: PATH, as:, default:}``."""

    method: Method
    path: str
    query: Mapping[str, Any] = {}
    headers: Mapping[str, Any] = {}
    body: Any = None
    items_path: Path | None = None
    result_path: Path | None = None
    idempotency_header: str | None = None
    pagination: Pagination = Pagination()
    errors: tuple[ErrorRule, ...] = ()


class Incremental(Strict):
    param: str
    semantics: Literal["updated", "created"]
    format: Literal["iso8601"] = "iso8601"


class Poll(Strict):
    """How the sweep lists what changed."""

    every_s: int = Field(gt=0)
    incremental: Incremental | None = None
    full_scan_every_s: int | None = Field(default=None, gt=0)


class Operations(Strict):
    get: OperationSpec
    find: OperationSpec
    create: OperationSpec
    update: OperationSpec
    delete: OperationSpec
    probe: OperationSpec | None = None
    list: OperationSpec | None = None
    update_mode: Literal["patch", "full"] = "patch"
    delete_means: Literal["hard"] = "hard"
    unique: bool | None = None  # one record for each person and entity; by default: whether `create` knows duplicates
    poll: Poll | None = None


class SignedPart(Strict):
    """One part of the signed text: the body, a header (``*timestamp``: the timestamp of the signature), or a text."""

    body: Literal[True] | None = None
    header: str | None = None
    text: str | None = None


class HmacPairs(Strict):
    """Names inside a header like ``t=1700000000,v1=…``."""

    signature: str
    timestamp: str | None = None


class HmacVerify(Strict):
    type: Literal["hmac"]
    header: str
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    pairs: HmacPairs | None = None
    signed: tuple[SignedPart, ...] = (SignedPart(body=True),)
    tolerance_s: int = Field(default=300, gt=0)
    secret: Secret
    previous_secret: Secret | None = None

    @property
    def covers_body(self) -> bool:
        return any(part.body for part in self.signed)

    @model_validator(mode="after")
    def _timestamp_is_there(self) -> HmacVerify:
        wants = any(part.header == "*timestamp" for part in self.signed)
        if wants and (self.pairs is None or self.pairs.timestamp is None):
            raise ValueError("signed uses '*timestamp', but pairs names no timestamp")
        return self


class StandardWebhooksVerify(Strict):
    """https://github.com/standard-webhooks/standard-webhooks, symmetric signatures (``v1``)."""

    type: Literal["standard_webhooks"]
    secret: Secret
    previous_secret: Secret | None = None
    tolerance_s: int = Field(default=300, gt=0)

    @property
    def covers_body(self) -> bool:
        return True


Verify = Annotated[HmacVerify | StandardWebhooksVerify, Field(discriminator="type")]


class EventRule(Strict):
    match: str
    change: Literal["upsert", "delete", "ignore"]


class DeliveryIdPart(Strict):
    path: Path | None = None
    header: str | None = None


class EventName(Strict):
    path: Path | None = None
    header: str | None = None
    const: str | None = None


class Webhook(Strict):
    verify: tuple[Verify, ...] = Field(min_length=1)
    ack_status: int = Field(default=200, ge=200, le=299)
    delivery_id: tuple[DeliveryIdPart, ...] = ()
    event: EventName
    events: tuple[EventRule, ...]
    payload: Literal["full", "thin"]
    key: Mapping[str, Path]
    record_path: Path | None = None
    sequence: Path | None = None
    dedup: Literal["drop_repeat", "coalesce"] = "drop_repeat"
    refetch: Literal["always", "full_payload_ok"] = "always"

    @property
    def trusts_payload(self) -> bool:
        return self.payload == "full" and self.refetch == "full_payload_ok"

    @model_validator(mode="after")
    def _trust_is_earned(self) -> Webhook:
        if self.trusts_payload and not all(one.covers_body for one in self.verify):
            raise ValueError("refetch: full_payload_ok trusts the payload, but a signature does not cover the body")
        if self.trusts_payload and self.record_path is None:
            raise ValueError("refetch: full_payload_ok needs record_path")
        if self.dedup == "drop_repeat" and not self.delivery_id:
            raise ValueError("dedup: drop_repeat needs delivery_id")
        return self


class Manifest(Strict):
    """One external system."""

    version: Literal[1]
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str = ""
    base_url: str = Field(pattern=r"^https?://[^/?#@]+(/[^?#]*)?$")
    allowed_hosts: tuple[str, ...] = ()
    allow_private_hosts: bool = False
    auth: Auth = NoAuth()
    http: Http = Http()
    key: Mapping[str, KeyPart] = Field(min_length=1)
    fields: Fields
    attributes: Mapping[str, Path] = {}
    attributes_list: AttributesList | None = None
    scale: ScaleSection
    attribute_scale: ScaleSection | None = None
    states: States = States()
    operations: Operations
    webhook: Webhook

    @property
    def capabilities(self) -> Capabilities:
        """Derived from what is declared, never claimed by hand."""
        operations, has_revision = self.operations, self.fields.revision is not None
        knows_duplicates = any(rule.outcome == "duplicate" for rule in operations.create.errors)
        return Capabilities(
            has_revision=has_revision,
            update_precondition=has_revision and _names_revision(operations.update),
            delete_precondition=has_revision and _names_revision(operations.delete),
            is_unique=knows_duplicates if operations.unique is None else operations.unique,
            trusts_payload=self.webhook.trusts_payload,
            many_fields=bool(self.attributes or self.attributes_list),
        )

    @model_validator(mode="after")
    def _addresses_fit(self) -> Manifest:
        if set(self.webhook.key) != set(self.key):
            raise ValueError(f"webhook.key has the parts {sorted(self.webhook.key)}, key has {sorted(self.key)}")
        if self.base_url.startswith("http://") and not self.allow_private_hosts:
            raise ValueError("base_url is not https; plain http is for allow_private_hosts: true only")
        return self


def _names_revision(operation: OperationSpec) -> bool:
    """Whether the call sends the revision that it expects."""
    return "rating.revision" in repr(operation.headers) + repr(operation.query) + repr(operation.body)
