"""Mapping files: CSV with fixed headers (docs/setup.md).

Every bad row is named with file, line, column and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Generic, TypeVar, cast

from sync_worker.core.numbers import MAX_CHARACTERS
from sync_worker.core.scale import FieldMap, MappingKind, Scale
from sync_worker.core.values import Contact, EntityRef
from sync_worker.core.words import (
    MAX_ATTRIBUTE,
    MAX_EMAIL,
    MAX_ENTITY_ID,
    MAX_GROUP,
    MAX_NAMESPACE,
    MAX_WIX_ID,
)
from sync_worker.files.cells import BadCell, email_of, id_within, number_of, text_within
from sync_worker.files.csv_rows import CsvFile
from sync_worker.files.rows import BadFile, Row

T = TypeVar("T")

ENTITY_COLUMNS = (
    "wix_namespace",
    "wix_group",
    "wix_entity_id",
    "external_group",
    "external_entity_id",
)
CONTACT_COLUMNS = ("wix_contact_id", "email", "external_author_id")
SCALE_COLUMNS = ("wix_min", "wix_max", "wix_step", "external_min", "external_max", "external_step")
NOTE = "note"  # a last column of any mapping file, for people; proposals write it
# Characters, as many as the ledger's columns hold.
WIDTHS = {
    "wix_namespace": MAX_NAMESPACE,
    "wix_group": MAX_GROUP,
    "wix_entity_id": MAX_ENTITY_ID,
    "external_group": MAX_GROUP,
    "external_entity_id": MAX_ENTITY_ID,
    "wix_contact_id": MAX_WIX_ID,
    "email": MAX_EMAIL,
    "external_author_id": MAX_ENTITY_ID,
    "wix_attribute": MAX_ATTRIBUTE,
    "external_field": MAX_ATTRIBUTE,
}
ID_COLUMNS = frozenset(WIDTHS) - {"email", "wix_attribute", "external_field"}
FIELD_COLUMNS = ("wix_attribute", "external_field", *SCALE_COLUMNS, "mapping")


class _BadCell(Exception):
    """A cell is not taken, or without a column the whole row."""

    def __init__(self, column: str, why: str) -> None:
        super().__init__(why)
        self.column, self.why = column, why


@dataclass(frozen=True, slots=True)
class MappingFile(Generic[T]):
    """The rows of a file that is good as a whole, and the line on which each stands."""

    path: Path
    rows: tuple[T, ...]
    lines: tuple[int, ...]

    def problem(self, position: int, why: str) -> str:
        return f"{self.path}:{self.lines[position]}: {why}"


class _Cells:
    """One row's cells by column."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells

    def optional(self, column: str) -> str:
        most = WIDTHS.get(column, MAX_CHARACTERS)
        read = id_within if column in ID_COLUMNS else text_within
        return self._checked(column, lambda text: read(text, most))

    def required(self, column: str) -> str:
        text = self.optional(column)
        if not text:
            raise _BadCell(column, "is empty")
        return text

    def email(self) -> str:
        self.required("email")
        return self._checked("email", email_of)

    def number(self, column: str) -> Decimal:
        self.required(column)
        return self._checked(column, number_of)

    def _checked(self, column: str, read: Callable[[str], T]) -> T:
        try:
            return read(self._cells[column])
        except BadCell as bad:
            raise _BadCell(column, str(bad)) from None


def read_entities(path: Path) -> MappingFile[tuple[EntityRef, EntityRef]]:
    """(Wix, external) pairs. Raises BadFile."""
    return _read(path, ENTITY_COLUMNS, _entity, _entity_names)


def read_contacts(path: Path) -> MappingFile[Contact]:
    """Contacts with normalised addresses. Raises BadFile."""
    return _read(path, CONTACT_COLUMNS, _contact, lambda contact: [("email", str(contact.email))])


def read_fields(path: Path) -> MappingFile[FieldMap]:
    """Fields whose scales keep the mapping law. Raises BadFile."""
    return _read(
        path,
        FIELD_COLUMNS,
        _field,
        lambda field: [
            ("wix_attribute", field.attribute),
            ("external_field", field.external_field),
        ],
    )


def _entity(cells: _Cells) -> tuple[EntityRef, EntityRef]:
    wix = EntityRef(
        cells.required("wix_entity_id"),
        cells.required("wix_group"),
        cells.required("wix_namespace"),
    )
    return wix, EntityRef(cells.required("external_entity_id"), cells.optional("external_group"))


def _entity_names(pair: tuple[EntityRef, EntityRef]) -> list[tuple[str, str]]:
    wix, external = pair
    here = "/".join((wix.namespace, wix.group, wix.entity_id))
    return [
        ("wix_entity_id", here),
        ("external_entity_id", f"{external.group}/{external.entity_id}"),
    ]


def _contact(cells: _Cells) -> Contact:
    author = cells.optional("external_author_id") or None
    return Contact(cells.required("wix_contact_id"), cells.email(), author_id=author)


def _wix_number(cells: _Cells, column: str) -> Decimal:
    """https://dev.wix.com/docs: a rating's value is a whole number from 0 to 100."""
    number = cells.number(column)
    if not 0 <= number <= 100 or number != number.to_integral_value():
        raise _BadCell(column, f"Wix takes 0 to 100 in whole numbers, not {number}")
    return number


def check_fields(path: Path) -> list[str]:
    """Every breach of the mapping law (I17) in a file, on every level of both scales, as lines.

    Raises BadFile.
    """
    found = _read(
        path, FIELD_COLUMNS, _unchecked_field, lambda field: [("wix_attribute", field.attribute)]
    )
    return [
        found.problem(position, f"{field.attribute}: {violation}")
        for position, field in enumerate(found.rows)
        for violation in field.violations()
    ]


def _field(cells: _Cells) -> FieldMap:
    field = _unchecked_field(cells)
    if violations := field.violations():
        more = (
            f" (and {len(violations) - 1} more; see `map fields check`)"
            if len(violations) > 1
            else ""
        )
        raise _BadCell("mapping", f"the two scales do not convert both ways: {violations[0]}{more}")
    return field


def _unchecked_field(cells: _Cells) -> FieldMap:
    kind = cells.required("mapping")
    if kind not in ("proportional", "span"):
        raise _BadCell("mapping", f"{kind!r} is neither 'proportional' nor 'span'")
    try:
        wix = Scale(*(_wix_number(cells, column) for column in ("wix_min", "wix_max", "wix_step")))
        external = Scale(
            cells.number("external_min"),
            cells.number("external_max"),
            cells.number("external_step"),
        )
        names = cells.required("wix_attribute"), cells.required("external_field")
        return FieldMap(*names, wix, external, cast(MappingKind, kind))
    except ValueError as error:
        raise _BadCell("mapping", str(error)) from None


def _read(
    path: Path,
    columns: Sequence[str],
    parse: Callable[[_Cells], T],
    names_of: Callable[[T], Sequence[tuple[str, str]]],
) -> MappingFile[T]:
    rows: list[T] = []
    lines: list[int] = []
    problems: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    with CsvFile(path) as file:
        places = _places(file, columns)
        for found in file.rows():
            try:
                row = parse(_cells_of(found, places))
                for column, name in names_of(row):
                    if (earlier := seen.setdefault((column, name), found.line)) != found.line:
                        raise _BadCell(column, f"{name!r} stands on line {earlier} already")
            except _BadCell as bad:
                blamed = f"{bad.column}: " if bad.column else ""
                problems.append(f"{path}:{found.line}: {blamed}{bad.why}")
            else:
                rows.append(row)
                lines.append(found.line)
    if problems:
        raise BadFile(problems)
    return MappingFile(path, tuple(rows), tuple(lines))


def _cells_of(row: Row, places: Mapping[str, int]) -> _Cells:
    if row.problem:
        raise _BadCell("", row.problem)
    return _Cells({column: row.cells[place] for column, place in places.items()})


def _places(file: CsvFile, columns: Sequence[str]) -> Mapping[str, int]:
    """Which cell each column is; in any order, and ``note`` besides is for people."""
    for name in filter(None, file.header):
        file.place_of(name)  # one that stands twice is told of before what is missing
    named = {name.casefold() for name in file.header} - {NOTE}
    if named != set(columns):
        raise BadFile([f"{file.path}:1: the header must be {','.join(columns)}"])
    return {column: file.needed_place_of(column) for column in columns}
