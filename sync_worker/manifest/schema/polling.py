"""What is not told at once: how often to look, and creates that show their record later."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sync_worker.manifest.schema.base import Strict


class Incremental(Strict):
    """A listing of what changed since a time: the newest one that records have shown, in the
    system's own clock.
    """

    param: str | None = None
    """Query parameter of ``operations.list``."""
    params: tuple[str, ...] = ()
    """Several that all get the same time, for systems that are asked for what was updated *or*
    created since: a record without a time of an update counts by its time of creation."""
    semantics: Literal["updated", "created"]
    """The time that it compares, by ``fields.updated_at`` or ``fields.created_at``. ``created``:
    edits and deletes are seen by full scans only."""
    format: Literal["iso8601", "epoch_s", "epoch_ms"] = "iso8601"
    overlap_s: int = Field(default=300, ge=0)
    """How long before the newest time each look begins: what became visible late is listed again.
    """

    @model_validator(mode="after")
    def _names_a_parameter(self) -> Incremental:
        if (self.param is None) == (not self.params):
            raise ValueError("needs param, or params where the system wants several")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All its parameters."""
        return self.params or (str(self.param),)


class Poll(Strict):
    """How often we look for what webhooks missed."""

    every_s: int = Field(gt=0)
    """Looks at what changed since the last look, without ``incremental`` at the whole listing;
    checked each minute.
    """
    incremental: Incremental | None = None
    full_scan_every_s: int | None = Field(default=None, gt=0)
    """Compares both sides whole, as every night."""
    delete_when_missing: bool = True
    """Whether a record that two complete scans did not show, and that a look by id confirms gone,
    is deleted.
    """


class CreateAsync(Strict):
    """The create is accepted now and carried out later, or never: the record is known once it shows
    itself.
    """

    correlate_on: tuple[Literal["entity", "email", "value", "text_hash"], ...] = ("entity", "email")
    """By what the record is known again. Without ``value`` it may show another one, which counts as
    an edit since; with ``text_hash`` a record with a person's own words is never taken for ours."""
    fail_event: str | None = None
    """Name of the event that tells that a create was not carried out: a person is told at once."""
    wait_s: int = Field(default=900, gt=0)
    """How long until a person is told."""

    @model_validator(mode="after")
    def _tells_people_apart(self) -> CreateAsync:
        if not {"entity", "email"} <= set(self.correlate_on):
            raise ValueError(
                "correlate_on needs at least entity and email: one opinion for each person and"
                " entity"
            )
        return self
