"""Mapping files: CSV with fixed headers (docs/setup.md).

Every bad row is named with file, line, column and why.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Generic, TypeVar, cast

from sync_worker.core.email_identity import is_usable, normalise_email
from sync_worker.core.numbers import MAX_CHARACTERS, BadNumber, exact_number
from sync_worker.core.scale import FieldMap, MappingKind, Scale
from sync_worker.core.values import Contact, EntityRef
from sync_worker.core.words import (
    MAX_ATTRIBUTE,
    MAX_EMAIL,
    MAX_ENTITY_ID,
    MAX_GROUP,
    MAX_NAMESPACE,
    MAX_WIX_ID,
    is_storable,
)

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
FIELD_COLUMNS = ("wix_attribute", "external_field", *SCALE_COLUMNS, "mapping")


class BadFile(Exception):
    """A mapping file has bad rows.

    ``problems`` are lines ready to print: ``FILE:LINE: COLUMN: why``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class _BadCell(Exception):
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

    def __init__(self, cells: dict[str, str]) -> None:
        self._cells = cells

    def optional(self, column: str) -> str:
        text, most = self._cells[column].strip(), WIDTHS.get(column, MAX_CHARACTERS)
        if len(text) > most:
            raise _BadCell(column, f"is longer than {most} characters")
        if not is_storable(text):
            raise _BadCell(column, "has a NUL in it, which is no character of a text")
        return text

    def required(self, column: str) -> str:
        text = self.optional(column)
        if not text:
            raise _BadCell(column, "is empty")
        return text

    def number(self, column: str) -> Decimal:
        text = self.required(column)
        try:
            return exact_number(text)
        except BadNumber as bad:
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
    email = cells.required("email")
    if not is_usable(email):
        raise _BadCell("email", f"{email!r} is not an e-mail address")
    author = cells.optional("external_author_id") or None
    return Contact(cells.required("wix_contact_id"), normalise_email(email), author_id=author)


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
    for line, cells in _lines(path, columns):
        try:
            row = parse(_Cells(cells))
            for column, name in names_of(row):
                if (earlier := seen.setdefault((column, name), line)) != line:
                    raise _BadCell(column, f"{name!r} stands on line {earlier} already")
        except _BadCell as bad:
            problems.append(f"{path}:{line}: {bad.column}: {bad.why}")
        else:
            rows.append(row)
            lines.append(line)
    if problems:
        raise BadFile(problems)
    return MappingFile(path, tuple(rows), tuple(lines))


def _lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows as cells by column, each with its line; blank lines are passed over."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            width = _check_header(path, next(reader, []), columns)
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != width:
                    why = f"{len(cells)} cells, but the header has {width}"
                    raise BadFile([f"{path}:{reader.line_num}: {why}"])
                yield reader.line_num, dict(zip(columns, cells, strict=False))
    except OSError as error:
        raise BadFile([f"{path}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise BadFile([f"{path}: is not UTF-8; save it as 'CSV UTF-8'"]) from None
    except csv.Error as error:
        raise BadFile([f"{path}:{reader.line_num}: is no CSV ({error})"]) from None


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> int:
    """The number of columns; a last one ``note`` is for people."""
    names = [cell.strip() for cell in header]
    if names not in (list(columns), [*columns, NOTE]):
        raise BadFile([f"{path}:1: the header must be {','.join(columns)}"])
    return len(names)
