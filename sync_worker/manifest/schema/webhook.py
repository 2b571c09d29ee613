"""What the system sends us: how it is verified, what it says, and how its hooks are kept alive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from sync_worker.manifest.expressions import problem_of
from sync_worker.manifest.schema.base import (
    CompiledPath,
    HeaderName,
    Path,
    Strict,
    compiled,
    one_of,
)
from sync_worker.manifest.schema.calls import Condition, OperationSpec
from sync_worker.manifest.schema.verify import JwtVerify, Verify


class Handshake(Strict):
    """A request that only tests whether we answer, unsigned: 200, and nothing happens."""

    empty_body: Literal[True] | None = None
    content_type: str | None = None
    body_regex: str | None = None
    """Fits the whole body."""

    @model_validator(mode="after")
    def _is_narrow(self) -> Handshake:
        one_of(self, "empty_body", "body_regex")
        if problem := problem_of(self.body_regex or ""):
            raise ValueError(f"body_regex: {problem}")
        return self


class DeliveryIdPart(Strict):
    """Part of the sender's id of a delivery."""

    path: Path | None = None
    at: Literal["item", "request"] = "item"
    """Where ``path`` begins: in the item of a batch, or at the root of the request."""
    header: HeaderName | None = None
    body_sha256: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_part(self) -> DeliveryIdPart:
        one_of(self, "path", "header", "body_sha256")
        return self


class EventName(Strict):
    """Where the name of an event is."""

    path: Path | None = None
    at: Literal["item", "request"] = "item"
    """Where ``path`` begins: in the item of a batch, or at the root of the request."""
    header: HeaderName | None = None
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


WHEN_SCHEMA = {
    "anyOf": [
        {"type": "string", "description": "A JMESPath expression"},
        {
            "type": "object",
            "description": "A condition: path or header, and equals",
            "properties": {
                "path": {"type": "string"},
                "header": {"type": "string"},
                "equals": {"type": ["string", "integer", "boolean"]},
            },
            "required": ["equals"],
            "additionalProperties": False,
        },
    ]
}


def _path_or_condition(value: Any) -> CompiledPath | Condition | None:
    if isinstance(value, Mapping):
        return Condition.model_validate(value)
    if value is None or isinstance(value, Condition):
        return value
    return compiled(value)


class EventRule(Strict):
    """What an event means for us."""

    match: str
    change: Literal["upsert", "delete", "parent_changed", "create_failed", "ignore"]
    when: Annotated[Any, BeforeValidator(_path_or_condition), WithJsonSchema(WHEN_SCHEMA)] = None
    """Only if this is so; otherwise the event is ignored: a path that is true in the payload, or
    ``{path, equals}``, or ``{header, equals}``."""
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
    """How hooks are made, listed, brought back and taken away.

    Trees may use ``hook.url``, ``.topic``, ``.id`` and ``.secret``.
    """

    topics: tuple[str, ...] = Field(min_length=1)
    list: HookList
    register_: OperationSpec = Field(alias="register")
    enable: OperationSpec | None = None
    remove: OperationSpec | None = None
    """Takes a hook away, of a shop that leaves; one that is gone already counts as done."""
    ports: tuple[int, ...] = ()
    """The only ports that the system sends webhooks to; by default any."""
    public_only: bool = False
    """Whether it sends none to private addresses."""


class Webhook(Strict):
    """What the system sends. A webhook is a hint; only a signed whole record is more."""

    verify: tuple[Verify, ...] = Field(min_length=1)
    """Any one of them may pass."""
    handshake: tuple[Handshake, ...] = ()
    delay_s: int = Field(default=30, gt=0, le=3600)
    """How long after a change its event may come, of systems that send from a queue;
    ``connector conformance`` waits as long."""
    ack_status: int = Field(default=200, ge=200, le=299)
    ack_body: Mapping[str, Any] | None = None
    """For senders that want certain words back."""
    delivery_id: tuple[DeliveryIdPart, ...] = ()
    items_path: Path | None = None
    """A batch: every item is a delivery, and all other paths are inside an item. An item may be a
    bare key (``key: {id: "@"}``)."""
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
        if self.trusts_payload and not all(scheme.covers_body for scheme in self.verify):
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
            isinstance(scheme, JwtVerify) for scheme in self.verify
        ):
            raise ValueError("event.claim needs a verify of type jwt")
        return self
