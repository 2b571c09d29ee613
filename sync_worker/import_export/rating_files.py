"""Files of ratings for ``ratings-sync import``: CSV or JSONL in, by a preset; opinions, or what is
wrong, out.

Rejected rows go to a file of the same form with line, column and reason in front, which can be put
right and imported.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, TextIO

import jmespath
import yaml
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Misconfigured
from sync_worker.core.scale import FieldMap, MappingKind, OffScale, Scale
from sync_worker.core.values import EntityRef, Side, Site
from sync_worker.import_export.importing import RatingRow
from sync_worker.manifest.schema.record import ScaleSection

PRESETS = Path(__file__).parent / "file_formats"
MARKS = ("rejected_line", "rejected_column", "rejected_reason")
DELIMITERS = ",;\t"
PARTS = ("entity", "entity_group", "entity_namespace", "email", "name", "state")
MAX_CELL = 1_000_000
csv.field_size_limit(MAX_CELL)


class Columns(BaseModel):
    """Where a row keeps its parts: a column's name, in JSONL a path (https://jmespath.org)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entity: str
    email: str
    entity_group: str | None = None
    entity_namespace: str | None = None
    name: str | None = None
    state: str | None = None


class Preset(BaseModel):
    """How rows are read. ``entity_of``: whose ids the file names.

    Empty ``published``: every row counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    title: str = ""
    columns: Columns
    values: Mapping[str, str] = Field(min_length=1)
    scale: ScaleSection
    published: tuple[str, ...] = ()
    unrated: tuple[str, ...] = ()
    entity_of: Side = Side.EXTERNAL


def load_preset(name: str) -> Mapping[str, Any]:
    """A shipped preset by name, or one of your own by path, as written. Raises Misconfigured."""
    path = (
        Path(name) if "/" in name or name.endswith((".yaml", ".yml")) else PRESETS / f"{name}.yaml"
    )
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in PRESETS.glob("*.yaml")))
        raise Misconfigured(
            f"there is no preset {name!r}; shipped are: {known}; or give the path of your own"
        )
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: is no preset: {str(error).splitlines()[0]}") from None
    if not isinstance(document, dict):
        raise Misconfigured(f"{path}: a preset is a mapping; see docs/setup.md")
    return document


def preset_of(
    base: Mapping[str, Any],
    columns: Mapping[str, str],
    *,
    scale: tuple[str, str, str] | None = None,
    mapping: MappingKind | None = None,
    entity_of: str | None = None,
) -> Preset:
    """A preset with the options of a command over it. Raises Misconfigured."""
    document = dict(base)
    parts = {name: column for name, column in columns.items() if name in PARTS}
    values = {name: column for name, column in columns.items() if name not in PARTS}
    document["columns"] = {**document.get("columns", {}), **parts}
    document["values"] = values or document.get("values", {})
    if scale is not None:
        document["scale"] = dict(zip(("min", "max", "step"), scale, strict=True))
    if mapping is not None:
        document["scale"] = {**document.get("scale", {}), "mapping": mapping}
    if entity_of is not None:
        document["entity_of"] = entity_of
    try:
        return Preset.model_validate(document)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise Misconfigured(
            f"the columns are not all known: {place}:"
            f" {problem['msg'].removeprefix('Value error, ')}; choose a --preset, or name them:"
            " --column entity=… --column email=… --column overall=… --scale 1:5:1"
        ) from None


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands.

    ``cells``: of CSV; ``document``: of JSONL; ``problem``: why it cannot be read.
    """

    line: int
    cells: Sequence[str] = ()
    document: Any = None
    text: str = ""
    problem: str = ""


class BadRow(Exception):
    """A row cannot be imported as it is."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


class NotForUs(Exception):
    """A row that is good but says nothing to import: not published, or without a rating."""


@dataclass
class RatingFile:
    """``with RatingFile(path) as file: for row in file.rows(): …``.

    Raises Misconfigured for a file that is none.
    """

    path: Path
    header: Sequence[str] = field(default=())
    delimiter: str = ","

    def __enter__(self) -> RatingFile:
        try:
            self._file: TextIO = self.path.open(newline="", encoding="utf-8-sig")
            if not self.is_jsonl:
                self._read_header()
        except OSError as error:
            raise Misconfigured(f"{self.path}: cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise self._not_utf8() from None
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def is_jsonl(self) -> bool:
        return self.path.suffix.lower() in (".jsonl", ".ndjson", ".json")

    def _read_header(self) -> None:
        first = self._file.readline()
        self._file.seek(0)
        self.delimiter = max(DELIMITERS, key=first.count)
        self._reader = csv.reader(self._file, strict=True, delimiter=self.delimiter)
        self.header = [cell.strip() for cell in next(self._reader, [])]
        if not any(self.header):
            raise Misconfigured(f"{self.path}: is empty; the first line must name the columns")

    def check(self, preset: Preset) -> None:
        """Whether the columns that a rating needs are there. Raises Misconfigured."""
        if self.is_jsonl:
            return
        needed = [preset.columns.entity, preset.columns.email, *preset.values.values()]
        missing = [name for name in needed if name not in self.header]
        if missing:
            raise Misconfigured(
                f"{self.path}:1: there is no column {missing[0]!r}; the columns are:"
                f" {', '.join(self.header)}; name the right one with --column"
            )

    def count(self) -> int:
        """How many rows, about: lines but for the header."""
        with self.path.open("rb") as file:
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
        return max(0, lines - (0 if self.is_jsonl else 1))

    def rows(self) -> Iterator[Row]:
        try:
            yield from self._jsonl() if self.is_jsonl else self._csv()
        except UnicodeDecodeError:
            raise self._not_utf8() from None

    def _not_utf8(self) -> Misconfigured:
        return Misconfigured(f"{self.path}: is not UTF-8; save it as 'CSV UTF-8'")

    def _csv(self) -> Iterator[Row]:
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise Misconfigured(
                    f"{self.path}:{line}: is no CSV ({error}); is a quotation mark missing?"
                ) from None
            if any(cell.strip() for cell in cells):
                fits = len(cells) == len(self.header)
                yield Row(
                    line,
                    cells,
                    problem=(
                        "" if fits else f"{len(cells)} cells, but the header has {len(self.header)}"
                    ),
                )

    def _jsonl(self) -> Iterator[Row]:
        for line, text in enumerate(self._file, start=1):
            if not text.strip():
                continue
            try:
                document = json.loads(text, parse_float=Decimal)
            except ValueError:
                yield Row(line, text=text.rstrip("\n"), problem="is no JSON")
                continue
            is_object = isinstance(document, dict)
            yield Row(
                line,
                document=document,
                text=text.rstrip("\n"),
                problem="" if is_object else "is no JSON object",
            )


@dataclass(frozen=True, slots=True)
class Reading:
    """Rows as opinions for one site. Made by ``reading_of``."""

    preset: Preset
    header: Sequence[str]
    fields: Mapping[str, FieldMap]
    same_id: tuple[str, str]

    def opinion(self, row: Row) -> RatingRow:
        """Raises BadRow, NotForUs."""
        if row.problem:
            raise BadRow("", row.problem)
        preset, columns = self.preset, self.preset.columns
        state = self._cell(row, columns.state).lower()
        if preset.published and self._has(columns.state) and state not in preset.published:
            raise NotForUs(f"not published ({state or 'no state'})")
        rated = {name: self._cell(row, column) for name, column in preset.values.items()}
        rated = {name: text for name, text in rated.items() if text not in preset.unrated}
        if not rated:
            raise NotForUs("no rating")
        values = {name: self._value(name, text) for name, text in rated.items()}
        email = self._cell(row, columns.email)
        if email.count("@") != 1 or email.startswith("@") or email.endswith("@") or " " in email:
            raise BadRow(
                columns.email, f"{email!r} is not an e-mail address" if email else "is empty"
            )
        name = self._cell(row, columns.name) or None
        return RatingRow(self._entity(row), preset.entity_of, normalise_email(email), name, values)

    def _entity(self, row: Row) -> EntityRef:
        columns = self.preset.columns
        entity_id = self._cell(row, columns.entity)
        if not entity_id:
            raise BadRow(columns.entity, "is empty")
        group, namespace = (
            self._cell(row, columns.entity_group),
            self._cell(row, columns.entity_namespace),
        )
        if self.preset.entity_of is Side.EXTERNAL:
            return EntityRef(entity_id, group)
        return EntityRef(entity_id, group or self.same_id[1], namespace or self.same_id[0])

    def _value(self, name: str, text: str) -> Decimal:
        column = self.preset.values[name]
        if not text:
            raise BadRow(column, "is empty")
        try:
            return self.fields[name].to_wix(Decimal(text))
        except InvalidOperation:
            raise BadRow(column, f"{text!r} is not a number") from None
        except OffScale:
            raise BadRow(column, f"{text} is not on the scale {self.preset.scale.scale}") from None

    def _has(self, column: str | None) -> bool:
        return column is not None and (not self.header or column in self.header)

    def _cell(self, row: Row, column: str | None) -> str:
        if column is None:
            return ""
        if self.header:
            return row.cells[self.header.index(column)].strip() if column in self.header else ""
        try:
            found = jmespath.search(column, row.document)
        except JMESPathError as error:
            raise Misconfigured(
                f"--column: {column!r} is no path: {str(error).splitlines()[0]}"
            ) from None
        return "" if found is None else str(found).strip()


def reading_of(preset: Preset, header: Sequence[str], site: Site) -> Reading:
    """For the fields of a site.

    Raises Misconfigured for an attribute that is not mapped, or scales that do not fit.
    """
    mapped = {one.attribute: one.wix for one in site.fields}
    fields = {}
    for name in preset.values:
        if name not in mapped:
            raise Misconfigured(
                f"the attribute {name!r} is not mapped; mapped are: {', '.join(mapped)}; see `map"
                " fields`"
            )
        fields[name] = _field(name, mapped[name], preset.scale)
    return Reading(
        preset, header, fields, (site.policy.same_id_namespace, site.policy.same_id_group)
    )


def _field(name: str, wix: Scale, scale: ScaleSection) -> FieldMap:
    one = FieldMap(name, "file", wix, scale.scale, scale.mapping)
    if violations := one.violations():
        raise Misconfigured(
            f"the file's scale {one.external} does not convert to Wix's {wix}: {violations[0]}"
        )
    return one


class RejectedFile:
    """The rejected rows of an import, beside its file; made with the first one, never over a file
    that is there.
    """

    def __init__(self, source: RatingFile) -> None:
        self._source = source
        self.count = 0
        self.path: Path | None = None
        self._file: TextIO | None = None

    def add(self, row: Row, column: str, reason: str) -> None:
        if self._file is None:
            self.path = _free_path(self._source.path, "jsonl" if self._source.is_jsonl else "csv")
            self._file = self.path.open("x", newline="", encoding="utf-8")
            if not self._source.is_jsonl:
                self._write_cells([*MARKS, *self._kept(self._source.header)])
        self.count += 1
        marks = (str(row.line), column, reason)
        if self._source.is_jsonl:
            self._write_object(row, dict(zip(MARKS, marks, strict=True)))
        else:
            self._write_cells([*marks, *self._kept(row.cells)])

    def _kept(self, cells: Sequence[str]) -> Sequence[str]:
        """Without the marks of an earlier import."""
        is_marked = tuple(self._source.header[: len(MARKS)]) == MARKS
        return cells[len(MARKS) :] if is_marked else cells

    def _write_cells(self, cells: Sequence[str]) -> None:
        assert self._file is not None  # noqa: S101 - opened by add
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=self._source.delimiter, lineterminator="\n").writerow(cells)
        self._file.write(buffer.getvalue())

    def _write_object(self, row: Row, marks: Mapping[str, str]) -> None:
        assert self._file is not None  # noqa: S101 - opened by add
        kept = row.document if isinstance(row.document, dict) else {"rejected_text": row.text}
        self._file.write(json.dumps({**kept, **marks}, ensure_ascii=False, default=str) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _free_path(source: Path, suffix: str) -> Path:
    """Somebody may be at work on an earlier one."""
    path, number = source.with_name(f"{source.name}.rejected.{suffix}"), 1
    while path.exists():
        number += 1
        path = source.with_name(f"{source.name}.rejected-{number}.{suffix}")
    return path
