"""How a file is read, as a person says it: a preset, and columns by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync_worker.core.errors import Misconfigured
from sync_worker.core.said import said
from sync_worker.core.scale import MappingKind
from sync_worker.import_export.file_format import (
    FORMATS,
    FileFormat,
    format_of,
    load_format,
    renamed,
)
from sync_worker.import_export.rating_files import RatingFile
from sync_worker.import_export.row_reading import RowReading


@dataclass(frozen=True, slots=True)
class Choice:
    """``columns``: by part; ``scale``: least, most and step, as texts; ``entity_of``: a side."""

    preset: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    scale: tuple[str, str, str] | None = None
    mapping: MappingKind | None = None
    entity_of: str | None = None
    published: Sequence[str] = ()

    def format(self) -> FileFormat:
        """Raises Misconfigured."""
        base: Mapping[str, Any] = load_format(self.preset) if self.preset is not None else {}
        return format_of(
            base,
            renamed(self.columns),
            scale=self.scale,
            mapping=self.mapping,
            entity_of=self.entity_of,
            published=self.published,
        )

    def places_in(self, source: RatingFile, form: FileFormat) -> Mapping[str, int] | None:
        """Which cell each column is in this file; ``None``: of JSONL. Raises Misconfigured."""
        columns = renamed(self.columns)
        # A word for published needs its column, as a column that an option names.
        named = {*columns, "state"} if self.published else set(columns)
        return source.places(form, named)


def shipped_presets() -> list[str]:
    """Names of the formats that come with us."""
    return sorted(file.stem for file in FORMATS.glob("*.yaml"))


def refuse_own_preset(choice: Choice) -> None:
    """A path names a file of this machine: it is for whoever has a shell there.

    Raises Misconfigured.
    """
    if choice.preset is not None and choice.preset not in shipped_presets():
        raise Misconfigured(
            said(
                "there is no preset '%(name)s'; there are: %(presets)s",
                name=choice.preset,
                presets=", ".join(shipped_presets()),
            )
        )


def lacks_state(reading: RowReading) -> str:
    """What a person should know before the rows; empty: nothing."""
    if not reading.lacks_state:
        return ""
    return f"there is no column {reading.format.columns.state!r}: every row counts as published"
