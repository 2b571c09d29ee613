"""What a record of the system looks like: its key, fields, scales, texts and moderation states."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from sync_worker.core.scale import MappingKind, Scale
from sync_worker.core.values import RecordState
from sync_worker.manifest.schema.base import Path, Strict, one_of

ValueKind = Literal["str", "int", "decimal", "bool", "datetime", "email", "html_text"]
WordName = Literal["title", "body", "reply"]
StateName = Literal["published", "pending", "rejected", "spam", "deleted"]
STATES: Mapping[str, RecordState] = {
    "spam": RecordState.REJECTED,
    **{one.value: one for one in RecordState},
}


class KeyPart(Strict):
    """One part of what addresses a record again: from the record, or from the request that fetched
    it.
    """

    path: Path | None = None
    context: Path | None = None
    """A path into the request: ``entity.external_id`` for records that live under their product."""
    as_: Literal["str", "int"] = Field(default="str", alias="as")
    required: bool = True

    @model_validator(mode="after")
    def _has_a_source(self) -> KeyPart:
        one_of(self, "path", "context")
        return self


class FieldPath(Strict):
    """Where a value is and what it is."""

    path: Path | None = None
    context: Path | None = None
    """A path into the request instead of the record."""
    const: str | int | None = None
    """The same for every record."""
    as_: ValueKind = Field(default="str", alias="as")
    required: bool = False
    """A record without it is malformed: it is held, not guessed."""
    tz: str = "UTC"
    """Zone of times that come without one."""
    unit: Literal["iso8601", "epoch_s", "epoch_ms"] = "iso8601"
    """How a time is written."""
    values: Mapping[str, Any] = {}
    """Names for values: ``{FIVE: 5, FOUR: 4}``."""

    @model_validator(mode="after")
    def _has_a_source(self) -> FieldPath:
        one_of(self, "path", "context", "const")
        return self

    @field_validator("tz")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is no time zone; write UTC or Europe/Berlin") from None
        return name


class Fields(Strict):
    """Where a record keeps what we read. ``value`` is the main value."""

    entity: FieldPath
    value: FieldPath
    entity_group: FieldPath | None = None
    email: FieldPath | None = None
    author: FieldPath | None = None
    title: FieldPath | None = None
    body: FieldPath | None = None
    reply: FieldPath | None = None
    """What the shop answered, in public."""
    state: FieldPath | None = None
    created_at: FieldPath | None = None
    updated_at: FieldPath | None = None
    revision: FieldPath | None = None
    """A whole number that grows by one with each change; not a time."""
    language: FieldPath | None = None
    """``updated_at`` and ``language`` are for your samples: nothing is decided by them."""
    verified: FieldPath | None = None
    """Whether the system knows who gave it; what guests give does not change a rating that stands
    (policy ``guest_may_change``).
    """
    can_update: FieldPath | None = None
    """Whether this one record may be changed: ``false``, ``0`` or ``no`` says that it may not."""
    can_delete: FieldPath | None = None
    """Whether this one record may be deleted, in the same words."""
    media: FieldPath | None = None
    """The https addresses of a record's pictures, as a list of texts: ``images[].src``.

    They go along when the review is made on Wix Reviews (policy ``pictures``).
    """

    @field_validator("media")
    @classmethod
    def _is_a_list_of_addresses(cls, media: FieldPath | None) -> FieldPath | None:
        if media is not None and media.model_fields_set != {"path"}:
            raise ValueError(
                "media takes a path alone: that of the addresses, such as images[].src"
            )
        return media


class AttributesList(Strict):
    """Sub-ratings as a list: ``items`` is its path, ``name`` and ``value`` are paths inside an
    item.
    """

    items: Path
    name: Path
    value: Path


class ScaleSection(Strict):
    """The system's own units."""

    min: Decimal
    max: Decimal
    step: Decimal = Decimal(1)
    unrated: tuple[Decimal, ...] = ()
    """Values that mean "no stars given", not "the worst mark"."""
    mapping: MappingKind = "proportional"
    """``proportional``: 1 of 5 stars is 20 of 100.

    ``span``: the lowest is the lowest, 1 of 5 stars is 0 of 100.
    """
    out_of_range: Literal["reject", "clamp"] = "reject"
    """``reject``: the rating is held and shown.

    ``clamp``: it counts as the nearest end of the scale.
    """

    @property
    def scale(self) -> Scale:
        return Scale(self.min, self.max, self.step)

    @model_validator(mode="after")
    def _is_possible(self) -> ScaleSection:
        _ = self.scale
        return self


class Text(Strict):
    """The words of a record: which of them travel, and what the system takes.

    A placeholder is recognised and never taken for a person's words.
    """

    sync: tuple[WordName, ...] = ()
    """Words that both sides keep in step, each read by ``fields``; by default none."""
    create_only: tuple[WordName, ...] = ()
    """Those that the system takes with a create only: later changes of them are held."""
    required_body: bool = False
    placeholder_body: str | None = None
    body_max_length: int | None = Field(default=None, gt=0)
    required_title: bool = False
    placeholder_title: str | None = None
    title_max_length: int | None = Field(default=None, gt=0)
    reply_max_length: int | None = Field(default=None, gt=0)
    """The longest text that the system takes, in characters."""

    @model_validator(mode="after")
    def _has_placeholders(self) -> Text:
        for part in ("body", "title"):
            if getattr(self, f"required_{part}") and not getattr(self, f"placeholder_{part}"):
                raise ValueError(
                    f"required_{part} needs placeholder_{part}: a rating may carry no text"
                )
        return self


class States(Strict):
    """Moderation states both ways."""

    read: Mapping[str, StateName] = {}
    """The system's word → ours."""
    write: Mapping[StateName, str] = {}
    """Ours → the system's word."""
    default: StateName = "pending"
    """What an unknown word reads as: only what is surely published may cross."""
    sync: tuple[Literal["published"], ...] = ("published",)
    """Which states cross to Wix, which has no moderation of its own."""

    def of(self, word: str | None) -> RecordState:
        return STATES[self.read.get(word or "", self.default)]


class Identity(Strict):
    """Who rated. People are known by their e-mail address; nobody is ever invented."""

    by: Literal["email"] = "email"
    when_missing: Literal["park", "skip"] = "park"
    """``park``: held with the reason ``no_email``. ``skip``: ended."""
