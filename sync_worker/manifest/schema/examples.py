"""Samples inside a manifest, each with what it must come to; ``ratings-sync connector check`` and
pytest run them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, model_validator

from sync_worker.manifest.schema.base import Strict
from sync_worker.manifest.schema.record import StateName


class DeliveryResult(Strict):
    """What one delivery comes to."""

    change: Literal["upsert", "delete", "parent_changed", "create_failed"]
    remote_id: str
    sequence: int | None = None


class DeliveryExample(Strict):
    """A webhook as it arrives.

    ``example_secret`` signed it: it stands in for the manifest's own secrets.
    """

    name: str
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    body: str = ""
    at: int | None = None
    """The time of its arrival, seconds since 1970; for signatures with a time."""
    example_secret: str = "example-secret-0123456789abcdefgh"  # noqa: S105 - signs samples only
    expect: (
        Literal["ignored", "handshake", "rejected", "unreadable"] | tuple[DeliveryResult, ...]
    ) = Field(union_mode="left_to_right")


class RecordResult(Strict):
    """What a resource reads as; only what is named is compared."""

    remote_id: str | None = None
    value: Decimal | None = None
    attributes: Mapping[str, Decimal] | None = None
    entity: str | None = None
    email: str | None = None
    author: str | None = None
    state: StateName | None = None
    revision: int | None = None
    title: str | None = None
    body: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    language: str | None = None
    verified: bool | None = None
    can_update: bool | None = None
    can_delete: bool | None = None
    media: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> RecordResult:
        if not self.model_fields_set:
            raise ValueError("an example expects nothing")
        return self


class RecordExample(Strict):
    """A resource as the system returns it.

    ``context``: what the request knew, for fields with ``context``.
    """

    name: str
    resource: Mapping[str, Any]
    context: Mapping[str, Any] = {}
    expect: RecordResult | Literal["malformed"]


class CatalogueResult(Strict):
    """What a row of the catalogue reads as; only what is named is compared."""

    id: str | None = None
    sku: str | None = None
    name: str | None = None
    url: str | None = None
    image: str | None = None
    group: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> CatalogueResult:
        if not self.model_fields_set:
            raise ValueError("an example expects nothing")
        return self


class CatalogueExample(Strict):
    """A row of the catalogue as the system returns it."""

    name: str
    row: Mapping[str, Any]
    expect: CatalogueResult | Literal["malformed"]


class Examples(Strict):
    """Samples with their results."""

    deliveries: tuple[DeliveryExample, ...] = ()
    records: tuple[RecordExample, ...] = ()
    catalogue: tuple[CatalogueExample, ...] = ()
